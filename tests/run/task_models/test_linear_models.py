"""Linear models: what they learn from, how the penalty is chosen, and every kind of task and column."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression

from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.data_spec import DataSpec
from mtnas.ensembles import table_inputs
from mtnas.errors import OutOfMemoryError
from mtnas.run.task_models.linear_models import LinearWork, fit_linear
from mtnas.tasks import Task, TaskKind

BINARY = Task(name="late", kind=TaskKind.BINARY, label="late")
CLASSES = Task(name="class", kind=TaskKind.MULTICLASS, label="class", num_classes=3)
PRICE = Task(name="price", kind=TaskKind.REGRESSION, label="price")
TASKS = (BINARY, CLASSES, PRICE)
ROWS = 600


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    """Labels that are linear in two numbers and a category; a constant column and a bag beside them."""
    rng = np.random.default_rng(0)
    x, y, shop = rng.normal(size=ROWS), 50 + 9 * rng.normal(size=ROWS), rng.integers(0, 4, ROWS)
    value = x + (y - 50) / 9 + np.array([-2.0, 0.0, 1.0, 3.0])[shop]
    return {
        "x": x,
        "y": y,
        "same": np.ones(ROWS),
        "shop": [f"shop{code}" for code in shop],
        "bag": [[f"w{w}" for w in rng.integers(0, 5, rng.integers(0, 4))] for _ in range(ROWS)],
        "late": (value + rng.logistic(size=ROWS) > 0).astype(int),
        "class": np.digitize(value, (-1, 1)),
        "price": 1000 + 30 * value,
    }


def loaded(access: DataAccess, table: dict[str, Any], *, tasks: tuple[Task, ...] = TASKS, **more: Any) -> EncodedData:
    path = access.roots[0] / "linear.parquet"
    pq.write_table(pa.table(table), path)
    kinds = {"x": "numeric", "y": "numeric", "same": "numeric", "shop": "categorical", "bag": "multi_valued"}
    features = [{"column": name, "kind": kind} for name, kind in kinds.items()]
    source = {"kind": "file", "paths": [path.name]}
    return load(DataSpec.model_validate({"source": source, "features": features} | more), tasks, access=access)


@pytest.fixture
def access(tmp_path: Any) -> DataAccess:
    return DataAccess(roots=(tmp_path,), cache=tmp_path / "cache")


def test_what_is_linear_is_found(table: dict[str, Any], access: DataAccess) -> None:
    data = loaded(access, table)
    price = fit_linear(LinearWork(task=PRICE), data, seed=0)
    assert price.metrics["test"]["rmse"] < 0.05 * float(np.std(table["price"]))
    assert fit_linear(LinearWork(task=CLASSES), data, seed=0).metrics["test"]["accuracy"] > 0.9
    assert fit_linear(LinearWork(task=BINARY), data, seed=0).metrics["test"]["auc"] > 0.8


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_it_says_what_the_library_says(task: Task, table: dict[str, Any], access: DataAccess) -> None:
    """Fitted by hand on the same rows: an indicator for every category, other columns standardised."""
    data = loaded(access, table)
    found = fit_linear(LinearWork(task=task, penalties=(1e-6,)), data, seed=0)
    rows = np.sort(np.concatenate([data.parts["train"], data.parts["search"]]))
    matrix = found.model.inputs.matrix(
        categorical=data.categorical, numeric=data.numeric, bags=data.bags, images=data.images
    ).astype(float)
    sizes = found.model.sizes.tolist()
    indicators = [np.eye(size)[matrix[:, place].astype(int)] for place, size in enumerate(sizes)]
    numbers = matrix[:, len(sizes) :]
    deviation = numbers[rows].std(0)
    scaled = (numbers - numbers[rows].mean(0)) / np.where(deviation > 0, deviation, np.inf)
    design = np.concatenate([*indicators, scaled], axis=1)
    labels = data.labels[:, data.schema.label_of(task)]
    test = data.parts["test"]
    if task.kind is TaskKind.REGRESSION:
        told = LinearRegression().fit(design[rows], labels[rows]).predict(design[test])
        np.testing.assert_allclose(found.outputs["test"][:, 0], told, rtol=1e-3, atol=1e-3)
        return
    by_hand = LogisticRegression(C=1e6, max_iter=5000).fit(design[rows], labels[rows])
    told = by_hand.predict_proba(design[test])
    said = found.outputs["test"].double()
    chances = said.sigmoid()[:, 0] if task.kind is TaskKind.BINARY else said.softmax(1)
    np.testing.assert_allclose(chances, told[:, 1] if task.kind is TaskKind.BINARY else told, atol=0.02)


def test_the_penalty_is_chosen_on_valid_alone(table: dict[str, Any], access: DataAccess) -> None:
    data = loaded(access, table)
    penalties = (1e5, 1.0, 1e-3)
    alone = {p: fit_linear(LinearWork(task=BINARY, penalties=(p,)), data, seed=0) for p in penalties}
    found = fit_linear(LinearWork(task=BINARY, penalties=penalties), data, seed=0)
    assert found.penalty == max(penalties, key=lambda p: alone[p].metrics["valid"]["auc"])
    assert found.metrics == alone[found.penalty].metrics
    assert not alone[1e5].outputs["test"].allclose(alone[1.0].outputs["test"], atol=1e-3)


def test_labels_of_test_are_not_learned_from(table: dict[str, Any], access: DataAccess) -> None:
    data = loaded(access, table)
    labels = data.labels.copy()
    labels[data.parts["test"]] = labels[data.parts["test"]][::-1]
    first = fit_linear(LinearWork(task=BINARY), data, seed=0)
    second = fit_linear(LinearWork(task=BINARY), replace(data, labels=labels), seed=0)
    assert first.outputs["test"].equal(second.outputs["test"])


def test_rows_without_a_label_and_rows_of_weight_nothing_do_not_count(
    table: dict[str, Any], access: DataAccess
) -> None:
    rng = np.random.default_rng(1)
    broken = rng.random(ROWS) < 0.3
    masked = table | {"late": [None if b else v for b, v in zip(broken, table["late"], strict=True)]}
    turned = table | {"late": np.where(broken, 1 - table["late"], table["late"]), "w": np.where(broken, 0.0, 1.0)}
    first = fit_linear(LinearWork(task=BINARY, penalties=(1.0,)), loaded(access, masked), seed=0)
    data = loaded(access, turned, weight_column="w")
    second = fit_linear(LinearWork(task=BINARY, penalties=(1.0,)), data, seed=0)
    torch.testing.assert_close(first.outputs["test"], second.outputs["test"], atol=0.02, rtol=0.02)


def test_soft_labels_are_shares(table: dict[str, Any], access: DataAccess) -> None:
    """A row at .7 is a one to seven tenths: probabilities follow, not classes."""
    soft = table | {"late": 1 / (1 + np.exp(-np.asarray(table["x"])))}
    data = loaded(access, soft)
    task = replace(BINARY, soft=True)
    found = fit_linear(LinearWork(task=task, penalties=(1e-3,)), data, seed=0)
    wanted = data.labels[data.parts["test"], 0]
    np.testing.assert_allclose(found.outputs["test"].sigmoid()[:, 0], wanted, atol=0.02)


def test_a_matrix_that_nobody_should_hold_is_refused(
    table: dict[str, Any], access: DataAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = loaded(access, table)
    monkeypatch.setattr(table_inputs, "MOST_FIGURES", 1000)
    with pytest.raises(OutOfMemoryError, match="600 rows of"):
        fit_linear(LinearWork(task=BINARY), data, seed=0)
