"""The estimator: from a table to predictions, a report, a route and a module, in the manners of scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from mtnas.easy import RouteSearch
from mtnas.errors import DataError, SpecError

JOB = {
    "training": {"batch_size": 64, "epochs": 6, "lr": 0.01},
    "space": {"options": {"layers": 1, "subnets": 2, "width": 8}},
    "search": {"kind": "random"},
    "budget": {"trials": 2},
    "protocol": {"baselines": ["shared_bottom"], "boosted_trees": False, "seeds": 1, "finalists": 1},
}


def shop(num_rows: int = 600, *, seed: int = 0) -> pd.DataFrame:
    """Visits of a shop: whether people buy, how much they pay, which of three doors they take."""
    rng = np.random.default_rng(seed)
    age, city = rng.normal(40, 10, num_rows), rng.choice(["Bern", "Genf", "Chur"], num_rows)
    drive = (age - 40) / 10 + (city == "Bern") + rng.normal(0, 0.3, num_rows)
    columns = {
        "age": age,
        "city": city,
        "buys": (drive > 0.4).astype(int),
        "pays": drive,
        "door": rng.integers(0, 3, num_rows),
    }
    return pd.DataFrame(columns, index=[f"visit {n}" for n in range(num_rows)])


@pytest.fixture(scope="module")
def fitted() -> RouteSearch:
    return RouteSearch(["buys", "pays:regression", "door"], job=JOB).fit(shop())


def test_kinds_are_judged_by_the_values_and_the_index_is_no_input(fitted: RouteSearch) -> None:
    kinds = {task["name"]: task["kind"] for task in fitted.report_["tasks"]}
    assert kinds == {"buys": "binary", "pays": "regression", "door": "multiclass"}
    assert set(fitted.module_.columns) == {"age", "city"}


def test_predictions_come_as_the_table_came(fitted: RouteSearch) -> None:
    visits = shop(50, seed=1)
    found = fitted.predict(visits)
    assert list(found.columns) == ["buys", "pays", "door"]
    assert list(found.index) == list(visits.index)
    assert set(found["buys"]) <= {0, 1}
    assert set(found["door"]) <= {0, 1, 2}
    as_arrow = fitted.predict(pa.Table.from_pandas(visits, preserve_index=False))
    assert as_arrow.column("buys").to_pylist() == found["buys"].tolist()
    as_polars = fitted.predict(pl.from_pandas(visits))
    assert as_polars["door"].to_list() == found["door"].tolist()
    plain = fitted.predict({name: visits[name].tolist() for name in ("age", "city")})
    assert plain["pays"] == pytest.approx(found["pays"].to_numpy())


def test_it_has_learnt_what_there_is_to_learn(fitted: RouteSearch) -> None:
    visits = shop(400, seed=2)
    chances = fitted.predict_proba(visits)
    assert set(chances) == {"buys", "door"}
    assert chances["door"].shape == (400, 3)
    assert chances["buys"].sum(axis=1) == pytest.approx(np.ones(400))
    assert roc_auc_score(visits["buys"], chances["buys"][:, 1]) > 0.85


def test_the_module_runs_without_the_project(fitted: RouteSearch, tmp_path: Path) -> None:
    folder = fitted.export(tmp_path / "module")
    done = subprocess.run([sys.executable, "check.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_draws_its_route(fitted: RouteSearch) -> None:
    assert str(fitted._repr_svg_()).startswith("<svg")
    assert RouteSearch(["buys"])._repr_svg_() is None


def test_it_can_be_cloned_and_its_parameters_changed() -> None:
    made = RouteSearch(["buys"], time_limit=3.0, random_state=7)
    copy = clone(made)
    assert copy.get_params() == made.get_params()
    assert copy.set_params(random_state=8).random_state == 8
    with pytest.raises(ValueError, match="unknown parameter 'seeds'"):
        made.set_params(seeds=3)


def test_labels_may_be_a_table_of_their_own() -> None:
    visits = shop(300)
    found = RouteSearch(job=JOB).fit(visits[["age", "city"]], visits[["buys", "pays"]])
    assert found.tasks_ == ("buys", "pays")


@pytest.mark.parametrize(
    ("tasks", "frame", "expected"),
    [
        (["sells"], shop(50), "expected a column of age, city"),
        ([], shop(50), "at least one task"),
        (["age"], "no table", "a table of pandas, polars or pyarrow"),
        (["same"], {"same": [1] * 50, "x": list(range(50))}, "at least two different labels"),
        (["name"], {"name": [f"n{n}" for n in range(200)], "x": list(range(200))}, "at most 50 classes"),
    ],
)
def test_what_cannot_work_is_said_with_what_was_found(tasks: list[str], frame: Any, expected: str) -> None:
    with pytest.raises((DataError, SpecError), match=expected):
        RouteSearch(tasks, job=JOB).fit(frame)


def test_rows_without_a_column_are_refused_by_its_name(fitted: RouteSearch) -> None:
    with pytest.raises(DataError, match="'city'"):
        fitted.predict(shop(5).drop(columns="city"))
