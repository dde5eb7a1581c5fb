"""Labels become float32 with NaN where there is none; what is no label of its kind names its row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mtnas.data.labels import check_labels, describe_labels, read_labels
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind


def task(kind: TaskKind, num_classes: int = 1) -> Task:
    return Task(name="y", kind=kind, label="y", num_classes=num_classes)


def read(values: list[object], kind: TaskKind, num_classes: int = 1) -> list[float]:
    labels, _ = read_labels(pa.table({"y": values}), [task(kind, num_classes)])
    assert labels.dtype == np.float64
    return labels[:, 0].tolist()


@pytest.mark.parametrize(
    "values",
    [[0, 1, None], [False, True, None], ["0", "1", ""], ["False", " true", None], [0.0, 1.0, float("nan")]],
)
def test_binary_labels_are_read_from_any_spelling(values: list[object]) -> None:
    np.testing.assert_array_equal(read(values, TaskKind.BINARY), [0, 1, np.nan])


@pytest.mark.parametrize("wrong", [2, -1, 0.5])
def test_another_number_is_no_binary_label(wrong: float) -> None:
    with pytest.raises(DataError, match=r"column 'y', row 3: expected 0, 1, true or false"):
        read([0, 1, wrong], TaskKind.BINARY)


def test_classes_are_numbers_below_the_number_of_classes() -> None:
    assert read([2, 0, 1], TaskKind.MULTICLASS, 3) == [2, 0, 1]
    for wrong in (3, -1, 0.5):
        with pytest.raises(DataError, match=r"column 'y', row 2: expected classes from 0 to 2"):
            read([0, wrong], TaskKind.MULTICLASS, 3)


def test_classes_given_as_texts_are_numbered_in_the_order_of_the_texts() -> None:
    labels, classes = read_labels(pa.table({"y": ["b", "a", None, "c"]}), [task(TaskKind.MULTICLASS, 3)])
    assert classes == (("a", "b", "c"),)
    np.testing.assert_array_equal(labels[:, 0], [1, 0, np.nan, 2])
    with pytest.raises(DataError, match="3 different texts"):
        read(["b", "a", "c"], TaskKind.MULTICLASS, 2)


def test_regression_labels_must_be_finite_numbers() -> None:
    with pytest.raises(DataError, match="row 2"):
        read([1.0, float("inf")], TaskKind.REGRESSION)
    with pytest.raises(DataError, match="row 2"):
        read(["1", "x"], TaskKind.REGRESSION)


def test_an_unknown_label_names_the_task() -> None:
    with pytest.raises(DataError, match=r"tasks\[0\].label"):
        read_labels(pa.table({"z": [1]}), [task(TaskKind.BINARY)])


@pytest.mark.parametrize(
    ("part", "values", "found"),
    [("train", [1, 1], "1 in all 2"), ("test", [0, np.nan], "0 in all 1"), ("valid", [np.nan] * 2, "none")],
)
def test_a_label_that_is_constant_or_absent_in_a_part_is_refused(part: str, values: list[float], found: str) -> None:
    labels = np.array([[0.0], [1.0]] * 4)
    parts = {name: np.array([2 * i, 2 * i + 1]) for i, name in enumerate(("train", "search", "valid", "test"))}
    check_labels(labels, [task(TaskKind.BINARY)], parts)
    labels[parts[part], 0] = values
    with pytest.raises(DataError, match=found) as caught:
        check_labels(labels, [task(TaskKind.BINARY)], parts)
    assert repr(part) in caught.value.where
    assert "tasks[0].label" in caught.value.where


def test_mean_and_deviation_are_of_the_labelled_training_rows() -> None:
    labels = np.array([[1], [3], [np.nan], [100]])
    (column,) = describe_labels(labels, [task(TaskKind.REGRESSION)], [()], np.arange(3))
    assert (column.mean, column.scale) == (2.0, 1.0)
