"""Labels: columns to numbers with NaN where a task has none, and the checks that make a task learnable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mtnas.data.class_values import several_values, spelling, two_values
from mtnas.data.columns.column import column_of, finite_numbers_of
from mtnas.data.columns.rows import Rows
from mtnas.data.parts import Parts
from mtnas.data.problem import Problem
from mtnas.data.schema_columns import LabelColumn
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind
from mtnas.units import OWN_UNIT, Transform, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column

FEW = 10  # rows of a class in a part


def read_labels(table: Rows, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], tuple[tuple[str, ...], ...]]:
    """Labels ``[N, T]`` in their own unit, NaN = not labelled, and per task the texts of its classes.

    The texts are empty for regressions, for zeros and ones, and for probabilities.

    Raises:
        DataError: a label column is missing, or holds a value that its task's kind does not have.
    """
    labels = np.empty((table.num_rows, len(tasks)))
    classes: list[tuple[str, ...]] = []
    for index, task in enumerate(tasks):
        column = column_of(table, task.label, where=f"tasks[{index}].label")
        names: tuple[str, ...] = ()
        match task.kind:
            case TaskKind.BINARY:
                labels[:, index], names = two_values(column, name=task.label, positive=task.positive)
            case TaskKind.MULTICLASS:
                labels[:, index], names = several_values(column, name=task.label, num_classes=task.num_classes)
            case TaskKind.REGRESSION:
                labels[:, index] = _amounts(column, task)
        classes.append(names)
    return labels, tuple(classes)


def read_weights(
    table: Rows, tasks: Sequence[Task], labels: NDArray[np.float64], *, column: str | None
) -> NDArray[np.float64] | None:
    """How much every row counts for every task, ``[N, T]``; ``None`` where no task has weights.

    Args:
        table: all rows.
        tasks: with weight columns of their own, or none.
        labels: of the same rows; a labelled row needs a weight.
        column: of tasks without one of their own.

    Raises:
        DataError: a labelled row without a weight, or a negative one; the message names the row.
    """
    names = [task.weight_column or column for task in tasks]
    if not any(names):
        return None
    weights = np.ones_like(labels)
    for index, name in enumerate(names):
        if name is None:
            continue
        values = finite_numbers_of(column_of(table, name, where="weight_column"), name=name)
        wrong = ~np.isnan(labels[:, index]) & ~(values >= 0)
        if wrong.any():
            row = int(wrong.argmax())
            found = "none" if np.isnan(values[row]) else f"{values[row]:g}"
            raise DataError(expected="weights of at least 0", found=found, where=f"column {name!r}, row {row + 1}")
        weights[:, index] = values
    return weights


def scaled_weights(
    weights: NDArray[np.float64], labels: NDArray[np.float64], train: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Weights of mean 1 over every task's labelled rows ``train``, so that their unit does not act as a step size."""
    known = np.where(np.isnan(labels[train]), np.nan, weights[train])
    return np.asarray(weights / np.nanmean(known, axis=0), dtype=np.float32)


def check_labels(labels: NDArray[np.float64], tasks: Sequence[Task], parts: Parts) -> None:
    """Refuse a task that has no label, or only one value of it, in some part.

    Raises:
        DataError: naming the task, the column and the part.
    """
    for index, task in enumerate(tasks):
        for part, rows in parts.items():
            present = labels[rows, index]
            present = present[~np.isnan(present)]
            where = f"tasks[{index}].label, column {task.label!r}, part {part!r}"
            if not present.size:
                raise DataError(expected="labelled rows", found="none", where=where)
            if present.min() == present.max() and (part == "train" or task.kind is TaskKind.BINARY):
                found = f"{present[0]:g} in all {present.size} labelled rows"
                expected = "a label that varies" + ("" if part == "train" else f" ({_hint(tasks)})")
                raise DataError(expected=expected, found=found, where=where)


def _hint(tasks: Sequence[Task]) -> str:
    labels = ", ".join(dict.fromkeys(task.label for task in tasks if task.kind is not TaskKind.REGRESSION))
    return f"data.split.stratify: [{labels}] puts every value in every part"


def label_warnings(
    labels: NDArray[np.float64], tasks: Sequence[Task], parts: Parts, described: Sequence[LabelColumn]
) -> Iterator[Problem]:
    """What its owner should know of labels that can be learnt: few of a class in a part, probabilities as labels."""
    for index, (task, label) in enumerate(zip(tasks, described, strict=True)):
        if task.kind is TaskKind.REGRESSION:
            continue
        where = f"tasks[{index}].label, column {task.label!r}"
        if 0 < len(label.classes) < task.num_classes:
            shown = ", ".join(map(repr, label.classes[:10]))
            expected, found = f"{task.num_classes} classes", f"{len(label.classes)}, which are the outputs: {shown}"
            yield Problem(expected=expected, found=found, where=where, severity="warning")
        twins = [name for name, count in Counter(map(spelling, label.classes)).items() if count > 1]
        if twins:
            alike = ", ".join(repr(name) for name in label.classes if spelling(name) == twins[0])
            expected, found = "classes that differ by more than case and blanks", f"{alike}, as classes of their own"
            yield Problem(expected=expected, found=found, where=where, severity="warning")
        known = labels[~np.isnan(labels[:, index]), index]
        if task.kind is TaskKind.BINARY and not np.isin(known, (0, 1)).all():
            found = f"{len(np.unique(known))} probabilities from {known.min():g} to {known.max():g}"
            yield Problem(expected="two values", found=f"{found}, read as soft labels", where=where, severity="warning")
            continue
        for part in ("valid", "test"):
            present = labels[parts[part], index]
            values, counts = np.unique(present[~np.isnan(present)], return_counts=True)
            if len(counts) and counts.min() < FEW:
                rarest = _class_name(label, values[counts.argmin()])
                found = f"{counts.min()} rows of the rarest class ({rarest}) of {counts.sum()}"
                expected = f"at least {FEW} rows of every class, for figures that can be told apart"
                yield Problem(expected=expected, found=found, where=f"{where}, part {part!r}", severity="warning")


def _class_name(label: LabelColumn, value: float) -> str:
    return repr(label.classes[int(value)]) if label.classes else f"{value:g}"


def describe_labels(
    labels: NDArray[np.float64], tasks: Sequence[Task], classes: Sequence[tuple[str, ...]], train: NDArray[np.int64]
) -> tuple[LabelColumn, ...]:
    """The label columns as the labelled rows ``train`` show them, in float64."""
    return tuple(_described(labels[train, index], task, classes[index]) for index, task in enumerate(tasks))


def keep_units(described: Sequence[LabelColumn], known: Sequence[LabelColumn]) -> tuple[LabelColumn, ...]:
    """The label columns, the first of which a trained network knows already: its units are those it was trained in."""
    kept = [replace(now, unit=before.unit, rates=before.rates) for now, before in zip(described, known, strict=False)]
    return (*kept, *described[len(kept) :])


def targets_of(labels: NDArray[np.float64], described: Sequence[LabelColumn]) -> NDArray[np.float32]:
    """What networks are trained on, ``[N, T]``: regressions' labels standardised in float64, others as they are."""
    targets = np.empty(labels.shape, np.float32)
    for index, label in enumerate(described):
        targets[:, index] = label.unit.targets(labels[:, index])
    return targets


def _described(labels: NDArray[np.float64], task: Task, classes: tuple[str, ...]) -> LabelColumn:
    known = labels[~np.isnan(labels)]
    mean = float(known.mean())
    rates: tuple[float, ...] = ()
    if task.kind is TaskKind.BINARY:
        rates = (mean,)
    elif task.kind is TaskKind.MULTICLASS:
        rates = tuple(np.bincount(known.astype(np.int64), minlength=len(classes)) / known.size)
    return LabelColumn(
        name=task.label,
        kind=task.kind,
        classes=classes,
        positive=task.positive,
        weight_column=task.weight_column,
        soft=task.kind is TaskKind.BINARY and not np.isin(known, (0, 1)).all(),
        mean=mean,
        scale=float(known.std()) or 1.0,
        unit=Unit.fitted(known, task.transform) if task.kind is TaskKind.REGRESSION else OWN_UNIT,
        rates=tuple(map(float, rates)),
    )


def _amounts(column: Column, task: Task) -> NDArray[np.float64]:
    values = finite_numbers_of(column, name=task.label)
    if task.transform is Transform.LOG1P and (impossible := values <= -1).any():
        row = int(impossible.argmax())
        where = f"column {task.label!r}, row {row + 1}"
        raise DataError(expected="amounts above -1 for transform 'log1p'", found=f"{values[row]:g}", where=where)
    return values
