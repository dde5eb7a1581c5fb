"""Whole jobs on labels as people bring them: classes that nobody counted, probabilities, quantiles, weights, strata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mtnas.easy.local_job import Finished, run_locally
from mtnas.export import load_module
from mtnas.spec import JobSpec

SMALL: Mapping[str, Any] = {
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 4}},
    "search": {"kind": "random"},
    "training": {"lr": 0.03, "epochs": 8, "batch_size": 64, "least_steps": 4, "extend": 0},
    "budget": {"trials": 2},
    "protocol": {"baselines": ["shared_bottom"], "boosted_trees": True, "finalists": 1, "seeds": 1},
    "export": {"ensemble": "none"},
}
TASKS = (
    {"name": "season", "kind": "multiclass"},
    {"name": "year", "kind": "multiclass"},
    {"name": "liked", "kind": "binary"},
    {"name": "late", "kind": "regression", "loss": "quantile", "quantile": 0.9},
    {"name": "paid", "kind": "regression", "loss": "huber", "delta": 0.02},
)


def visits(num_rows: int = 600) -> pd.DataFrame:
    """All labels follow ``x``; those of rows with ``odd`` say the opposite."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=num_rows)
    noise = rng.normal(0, 0.3, num_rows)
    bands = np.digitize(x + noise, [-0.7, 0.7])
    paid = 1000 + 300 * x + 30 * noise
    paid[::50] = 90_000
    columns = {
        "x": x,
        "odd": (rng.random(num_rows) < 0.3).astype(float),
        "season": np.array(["spring", "autumn", "winter"])[bands],
        "year": 2019 + bands,
        "liked": np.clip(0.5 + 0.4 * x, 0, 1).round(3),
        "late": 50 + 10 * x + rng.exponential(20, num_rows),
        "paid": paid,
    }
    return pd.DataFrame(columns)


def run(folder: Path, *, rows: pd.DataFrame, tasks: Sequence[Mapping[str, Any]] = TASKS, **data: Any) -> Finished:
    folder.mkdir(exist_ok=True)
    rows.to_csv(folder / "visits.csv", index=False)
    source = {"kind": "file", "paths": ["visits.csv"]}
    request = {**SMALL, "name": "labels", "tasks": tasks, "data": {"source": source, **data}}
    return run_locally(JobSpec.model_validate(request), roots=(folder,), folder=folder / "out")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    stratified = {"kind": "ratio", "stratify": ["season"]}
    return run(tmp_path_factory.mktemp("labels"), rows=visits(), exclude=["odd"], split=stratified)


def _figure(finished: Finished, label: str, task: str) -> float:
    (row,) = [row for row in finished.report["rows"] if row["label"] == label]
    return float(row["per_task"][task]["test"]["mean"])


def test_classes_that_nobody_counted_have_their_names_everywhere(finished: Finished) -> None:
    assert finished.module is not None
    classes = {task["name"]: task["classes"] for task in finished.report["tasks"]}
    assert (classes["season"], classes["year"]) == (["autumn", "spring", "winter"], ["2019", "2020", "2021"])
    manifest = json.loads((finished.module / "manifest.json").read_text())
    readme = (finished.module / "README.md").read_text()
    for name in ("autumn", "spring", "winter", "2019", "2021"):
        assert name in json.dumps(manifest)
        assert name in readme
    shares = load_module(finished.module).predict(pd.DataFrame({"x": [-2.0, 2.0]}))["season"]
    assert shares.shape == (2, 3)
    assert [classes["season"][best] for best in shares.argmax(1)] == ["spring", "winter"]


def test_a_stratified_split_gives_every_part_its_share(finished: Finished) -> None:
    warned = [text for text in finished.report["warnings"] if "rarest class" in text and "season" in text]
    assert warned == []


def test_quantiles_and_amounts_are_in_the_labels_unit(finished: Finished) -> None:
    assert finished.module is not None
    rows = visits()
    predicted = load_module(finished.module).predict(rows[["x"]])
    below = float((rows["late"].to_numpy() < np.ravel(predicted["late"])).mean())
    assert 0.8 < below < 0.97
    usual = rows["paid"] < 10_000
    error = np.ravel(predicted["paid"])[usual] - rows["paid"][usual]
    assert np.sqrt((error**2).mean()) < 250  # outliers of 90,000 pull a mean by 1,800


def test_trees_see_probabilities_quantiles_and_amounts_too(finished: Finished) -> None:
    for task in TASKS:
        assert np.isfinite(_figure(finished, "boosted_trees", str(task["name"]))), task
    liked = visits()["liked"].to_numpy()
    known = {"y_true": np.repeat([1, 0], len(liked)), "y_score": np.tile(liked, 2)}
    ideal = roc_auc_score(**known, sample_weight=np.concatenate([liked, 1 - liked]))
    for label in ("boosted_trees", "finalist-1"):
        assert _figure(finished, label, "liked") == pytest.approx(ideal, abs=0.04)


def test_weights_decide_what_is_learnt_and_equal_ones_nothing(tmp_path: Path) -> None:
    rows = visits(300)[["x", "odd", "paid"]]
    against = rows["odd"] == 1
    rows["paid"] = np.where(against, -rows["paid"], rows["paid"])
    request: dict[str, Any] = {"tasks": TASKS[4:], "exclude": ["odd"]}
    weights = {"equal": 7.0, "few": 1 - 0.99 * rows["odd"]}
    weighed = {
        name: run(tmp_path / name, rows=rows.assign(weight=weight), weight_column="weight", **request)
        for name, weight in weights.items()
    }
    plain = run(tmp_path / "plain", rows=rows, **request)
    for label in ("finalist-1", "boosted_trees"):
        assert _figure(weighed["equal"], label, "paid") == pytest.approx(_figure(plain, label, "paid"), rel=1e-5)
        assert _figure(weighed["few"], label, "paid") != pytest.approx(_figure(plain, label, "paid"), rel=1e-2)
    assert weighed["few"].module is not None
    amounts = np.ravel(load_module(weighed["few"].module).predict(pd.DataFrame({"x": [0.0]}))["paid"])
    assert amounts[0] > 500  # of the rows that weigh something: 1,000
