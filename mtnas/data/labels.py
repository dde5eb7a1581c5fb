"""Labels: columns to numbers with NaN where a task has none, and the checks that make a task learnable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mtnas.data.columns.column import Storage, codes_of, column_of, finite_numbers_of, parse_number, storage_of
from mtnas.data.parts import Parts
from mtnas.data.schema import LabelColumn
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind
from mtnas.units import OWN_UNIT, Transform, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column

BINARY_TEXTS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


def read_labels(table: pa.Table, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], tuple[tuple[str, ...], ...]]:
    """Labels ``[N, T]`` in their own unit, NaN = not labelled, and per task the texts of its classes.

    The texts are empty unless the classes are given as text.

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
                labels[:, index] = _binary(column, name=task.label)
            case TaskKind.MULTICLASS:
                labels[:, index], names = _classes(column, name=task.label, num_classes=task.num_classes)
            case TaskKind.REGRESSION:
                labels[:, index] = _amounts(column, task)
        classes.append(names)
    return labels, tuple(classes)


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
                raise DataError(expected="a label that varies", found=found, where=where)


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
        rates = tuple(np.bincount(known.astype(np.int64), minlength=task.num_classes) / known.size)
    return LabelColumn(
        name=task.label,
        kind=task.kind,
        classes=classes,
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


def _binary(column: Column, *, name: str) -> NDArray[np.float64]:
    codes = codes_of(column, name=name)
    known = [BINARY_TEXTS.get(text.strip().lower()) for text in codes.texts]
    wrong = np.array([*(value is None for value in known), False])[codes.indices]
    if wrong.any():
        row = int(wrong.argmax())
        found = repr(codes.texts[codes.indices[row]][:80])
        where = f"column {name!r}, row {row + 1}"
        raise DataError(expected="0, 1, true or false as binary label", found=found, where=where)
    return np.array([*known, np.nan], dtype=np.float64)[codes.indices]


def _classes(column: Column, *, name: str, num_classes: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Class numbers, and the texts of the classes if they are no numbers, in the order of the texts."""
    if storage_of(column) is Storage.TEXT:
        codes = codes_of(column, name=name)
        if any(parse_number(text) is None for text in codes.texts):
            if len(codes.texts) > num_classes:
                found = f"{len(codes.texts)} different texts"
                raise DataError(expected=f"{num_classes} classes", found=found, where=f"column {name!r}")
            names = tuple(sorted(codes.texts))
            return np.array([*map(names.index, codes.texts), np.nan], dtype=np.float64)[codes.indices], names
    values = finite_numbers_of(column, name=name)
    wrong = ~np.isnan(values) & ((values < 0) | (values >= num_classes) | (values != np.floor(values)))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            expected=f"classes from 0 to {num_classes - 1}",
            found=f"{values[row]:g}",
            where=f"column {name!r}, row {row + 1}",
        )
    return values, ()
