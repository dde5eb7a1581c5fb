"""Labels become float32 with NaN where there is none; what is no label of its kind names its row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mtnas.data.labels import check_labels, describe_labels, label_warnings, read_labels
from mtnas.data.schema_columns import LabelColumn
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


@pytest.mark.parametrize("wrong", [2, -1, 1.5])
def test_another_number_is_no_binary_label(wrong: float) -> None:
    with pytest.raises(DataError, match=r"column 'y', row 3: expected 0, 1, true or false"):
        read([0, 1, wrong], TaskKind.BINARY)


@pytest.mark.parametrize(
    ("values", "expected", "names"),
    [
        (["yes", "no", None, "Yes"], [1, 0, np.nan, 1], ("no", "yes")),
        (["T", "F"], [1, 0], ("F", "T")),
        (["Y", "N", "n"], [1, 0, 0], ("N", "Y")),
        ([-1, 1, None], [0, 1, np.nan], ("-1", "1")),
        ([-1.0, 1.0], [0, 1], ("-1", "1")),
        (["-1", "+1"], [0, 1], ("-1", "+1")),
        (["off", "ON"], [0, 1], ("off", "ON")),
        (["negative", "positive"], [0, 1], ("negative", "positive")),
        ([True, False], [1, 0], ()),
        ([1.0, 0.0], [1, 0], ()),
    ],
)
def test_two_values_of_known_meaning_are_zero_and_one(
    values: list[object], expected: list[float], names: tuple[str, ...]
) -> None:
    labels, classes = read_labels(pa.table({"y": values}), [task(TaskKind.BINARY)])
    np.testing.assert_array_equal(labels[:, 0], expected)
    assert classes == (names,)


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [
        (["churned", "stayed", None], "stayed", [0, 1, np.nan]),
        (["churned", "stayed"], "Churned ", [1, 0]),
        ([1, 2, 1], "2", [0, 1, 0]),
        ([1, 2, 1], "1.0", [1, 0, 1]),
        (["yes", "no"], "no", [0, 1]),
        ([0, 1], "0", [1, 0]),
        ([True, False], "False", [0, 1]),
    ],
)
def test_any_two_values_with_a_positive_one(values: list[object], positive: str, expected: list[float]) -> None:
    named = replace(task(TaskKind.BINARY), positive=positive)
    labels, (classes,) = read_labels(pa.table({"y": values}), [named])
    np.testing.assert_array_equal(labels[:, 0], expected)
    assert len(set(classes)) == 2


def test_two_values_of_unknown_meaning_ask_for_the_positive_one() -> None:
    with pytest.raises(DataError, match=r"row 1: .*'positive'.*2 different values: 'churned', 'stayed'"):
        read(["stayed", "churned"], TaskKind.BINARY)
    with pytest.raises(DataError, match=r"row 2: .*'positive'"):
        read([1, 2], TaskKind.BINARY)
    for values, positive in ((["a", "b"], "gone"), (["a", "b", "c"], "a")):
        named = replace(task(TaskKind.BINARY), positive=positive)
        with pytest.raises(DataError, match="two values, one of which is the positive"):
            read_labels(pa.table({"y": values}), [named])


def test_probabilities_are_soft_labels_and_said_to_be() -> None:
    values = [0.0, 0.3, 1.0, None]
    np.testing.assert_allclose(read(values, TaskKind.BINARY), [0, 0.3, 1, np.nan])
    parts = {part: np.arange(4) for part in ("train", "search", "valid", "test")}
    labels = np.array(values, dtype=float)[:, None]
    described = [LabelColumn(name="y", kind=TaskKind.BINARY)]
    (warning,) = label_warnings(labels, [task(TaskKind.BINARY)], parts, described)
    assert "soft labels" in warning.found
    assert warning.severity == "warning"


def test_few_rows_of_a_class_are_warned_of_with_their_count() -> None:
    labels = np.array([0.0, 1.0] * 50)[:, None]
    parts = {"train": np.arange(60), "search": np.arange(60, 70), "valid": np.arange(70, 100), "test": np.arange(4)}
    described = [LabelColumn(name="y", kind=TaskKind.BINARY)]
    (warning,) = label_warnings(labels, [task(TaskKind.BINARY)], parts, described)
    assert warning.found.startswith("2 rows of the rarest class")
    assert "part 'test'" in warning.where


def test_classes_that_differ_in_case_or_blanks_alone_are_warned_of() -> None:
    labels, classes = read_labels(pa.table({"y": ["a", " A", "b"] * 50}), [task(TaskKind.MULTICLASS, 3)])
    parts = {part: np.arange(150) for part in ("train", "search", "valid", "test")}
    described = describe_labels(labels, [task(TaskKind.MULTICLASS, 3)], classes, parts["train"])
    (warning,) = label_warnings(labels, [task(TaskKind.MULTICLASS, 3)], parts, described)
    assert warning.found == "' A', 'a', as classes of their own"


def test_fewer_texts_than_declared_classes_are_the_classes_with_a_warning() -> None:
    labels, classes = read_labels(pa.table({"y": ["a", "b"] * 50}), [task(TaskKind.MULTICLASS, 3)])
    assert classes == (("a", "b"),)
    parts = {part: np.arange(100) for part in ("train", "search", "valid", "test")}
    described = describe_labels(labels, [task(TaskKind.MULTICLASS, 3)], classes, parts["train"])
    assert described[0].completing(task(TaskKind.MULTICLASS, 3)).num_outputs == 2
    (warning,) = label_warnings(labels, [task(TaskKind.MULTICLASS, 3)], parts, described)
    assert (warning.expected, warning.found) == ("3 classes", "2, which are the outputs: 'a', 'b'")


@pytest.mark.parametrize(
    ("values", "num_classes", "expected", "names"),
    [
        ([1, 3, 2, None], 3, [0, 2, 1, np.nan], ("1", "2", "3")),
        ([1999, 2001, 2000], 0, [0, 2, 1], ("1999", "2000", "2001")),
        (["10", "9", "2"], 0, [2, 1, 0], ("2", "9", "10")),
        (["red", "blue", None], 0, [1, 0, np.nan], ("blue", "red")),
        ([0.5, -1.0], 2, [1, 0], ("-1", "0.5")),
        ([2, 0], 3, [2, 0], ("0", "1", "2")),
        ([0, 1, 2], 0, [0, 1, 2], ("0", "1", "2")),
        ([True, False], 2, [1, 0], ("false", "true")),
    ],
)
def test_classes_are_the_values_that_occur(
    values: list[object], num_classes: int, expected: list[float], names: tuple[str, ...]
) -> None:
    labels, classes = read_labels(pa.table({"y": values}), [task(TaskKind.MULTICLASS, num_classes)])
    np.testing.assert_array_equal(labels[:, 0], expected)
    assert classes == (names,)


def test_another_number_of_classes_is_refused() -> None:
    for values, num_classes in ((["a", "b", "c"], 2), ([1, 2, 4], 4), ([5, 5], 0), (list(range(1001)), 0)):
        with pytest.raises(DataError, match="column 'y'"):
            read(list(values), TaskKind.MULTICLASS, num_classes)


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
    assert ("data.split.stratify: [y]" in caught.value.expected) == (part == "test")


def test_mean_and_deviation_are_of_the_labelled_training_rows() -> None:
    labels = np.array([[1], [3], [np.nan], [100]])
    (column,) = describe_labels(labels, [task(TaskKind.REGRESSION)], [()], np.arange(3))
    assert (column.mean, column.scale) == (2.0, 1.0)
