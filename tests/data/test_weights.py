"""Row weights: read for all tasks or for one, never an input, of mean 1 on ``train``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mtnas.data import load
from mtnas.data.data_spec import DataSpec
from mtnas.data.labels import read_labels, read_weights
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind
from tests.data.people import TASKS, access_to, people, write_csv

RNG = np.random.default_rng(0)
WEIGHTS = RNG.exponential(5, 400) * (RNG.random(400) < 0.9)


@pytest.fixture
def name(tmp_path: Path) -> str:
    return write_csv(people().append_column("w", [WEIGHTS]), tmp_path)


def spec(name: str, **changes: object) -> DataSpec:
    return DataSpec.model_validate(
        {"source": {"kind": "file", "paths": [name]}, "exclude": ["place", "likes"], **changes}
    )


@pytest.mark.parametrize("key", ["weight_column", "sample_weight"])
def test_weights_have_mean_one_on_train_and_rows_of_weight_zero_no_label(tmp_path: Path, name: str, key: str) -> None:
    data = load(spec(name, **{key: "w"}), TASKS, access=access_to(tmp_path))
    assert data.weights is not None
    assert "w" not in data.schema.columns
    raw = read_labels(people(), TASKS)[0]
    np.testing.assert_array_equal(np.isnan(data.labels), np.isnan(raw) | (WEIGHTS == 0)[:, None])
    rows = data.parts["train"]
    for task in range(3):
        known = ~np.isnan(data.labels[rows, task])
        assert data.weights[rows, task][known].mean() == pytest.approx(1, abs=1e-5)
        ratio = data.weights[rows, task][known] / WEIGHTS[rows][known]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


def test_one_task_may_have_weights(tmp_path: Path, name: str) -> None:
    tasks = (replace(TASKS[0], weight_column="w"), *TASKS[1:])
    data = load(spec(name), tasks, access=access_to(tmp_path))
    assert data.weights is not None
    assert data.weights[:, 0].std() > 0.1
    np.testing.assert_array_equal(data.weights[:, 1:], 1)
    assert load(spec(name, exclude=["place", "likes", "w"]), TASKS, access=access_to(tmp_path)).weights is None


def test_a_labelled_row_needs_a_weight_that_is_not_negative() -> None:
    task = Task(name="y", kind=TaskKind.REGRESSION, label="y")
    for values, found in (([1.0, -2.0], "-2"), ([1.0, None], "none")):
        table = pa.table({"y": [1.0, 2.0], "w": values})
        with pytest.raises(DataError, match=f"column 'w', row 2: expected weights of at least 0, found {found}"):
            read_weights(table, [task], np.ones((2, 1)), column="w")
    unlabelled = pa.table({"y": [1.0, None], "w": [1.0, None]})
    assert read_weights(unlabelled, [task], read_labels(unlabelled, [task])[0], column="w") is not None
