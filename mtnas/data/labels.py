"""Labels: columns to float32 with NaN where a task has none, and the checks that make a task learnable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mtnas.data.columns.column import Storage, codes_of, column_of, finite_numbers_of, parse_number, storage_of
from mtnas.data.parts import Parts
from mtnas.data.schema import LabelColumn
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column

BINARY_TEXTS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


def read_labels(table: pa.Table, tasks: Sequence[Task]) -> tuple[NDArray[np.float32], tuple[tuple[str, ...], ...]]:
    """Labels ``[N, T]``, NaN = not labelled, and per task the texts of its classes (empty unless given as text).

    Raises:
        DataError: a label column is missing, or holds a value that its task's kind does not have.
    """
    labels = np.empty((table.num_rows, len(tasks)), np.float32)
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
                labels[:, index] = finite_numbers_of(column, name=task.label)
        classes.append(names)
    return labels, tuple(classes)


def check_labels(labels: NDArray[np.float32], tasks: Sequence[Task], parts: Parts) -> None:
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
    labels: NDArray[np.float32], tasks: Sequence[Task], classes: Sequence[tuple[str, ...]], train: NDArray[np.int64]
) -> tuple[LabelColumn, ...]:
    """The label columns with mean and deviation over the labelled rows ``train``."""
    described = []
    for index, task in enumerate(tasks):
        values = labels[train, index].astype(np.float64)
        described.append(
            LabelColumn(
                name=task.label,
                kind=task.kind,
                classes=classes[index],
                mean=float(np.nanmean(values)),
                scale=float(np.nanstd(values)) or 1.0,
            )
        )
    return tuple(described)


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
