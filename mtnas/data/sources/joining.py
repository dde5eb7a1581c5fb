"""Joining a further table to the main one: a left join on equal keys that keeps the main table's rows and order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtnas.data.columns.column import codes_of, column_of
from mtnas.errors import DataError


def join_table(table: pa.Table, other: pa.Table, *, on: Sequence[str], prefix: str = "", where: str) -> pa.Table:
    """``table`` with the columns of ``other``, missing where no key is equal. A missing key equals none.

    Args:
        table: the main table.
        other: the further table; its keys must be unique.
        on: columns that both have.
        prefix: goes before the names of the new columns.
        where: the place to name in errors.

    Raises:
        DataError: a key column is missing, keys of ``other`` are not unique, no key of one occurs in the other, or a
            new column has a name that exists.
    """
    left, right = _common_codes(table, other, on=on, where=where)
    keyed = np.flatnonzero(right >= 0)
    order = keyed[np.argsort(right[keyed], kind="stable")]
    again = np.flatnonzero(right[order[1:]] == right[order[:-1]])
    if again.size:
        first, second = order[again[0]] + 1, order[again[0] + 1] + 1
        raise DataError(
            expected=f"unique keys {list(on)}", found=f"rows {first} and {second} with the same", where=where
        )
    position = np.full(max(int(left.max(initial=-1)), int(right.max(initial=-1))) + 2, -1, np.int64)
    position[right[keyed]] = keyed
    rows = np.where(left >= 0, position[left], -1)
    if table.num_rows and (rows < 0).all():
        shown = " beside ".join(_some_keys(one, on) for one in (table, other))
        raise DataError(expected=f"some rows with equal keys {list(on)}", found=f"none: {shown}", where=where)
    taken = other.take(pa.array(rows, pa.int64(), mask=rows < 0))
    for name in other.column_names:
        if name in on:
            continue
        if prefix + name in table.column_names:
            raise DataError(expected="new column names (set a prefix)", found=repr(prefix + name), where=where)
        table = table.append_column(prefix + name, taken.column(name))
    return table


def _some_keys(table: pa.Table, on: Sequence[str]) -> str:
    keys = [tuple(row.values()) for row in table.select(on)[:3].to_pylist()]
    return ", ".join(repr(key if len(on) > 1 else key[0]) for key in keys)


def _common_codes(
    table: pa.Table, other: pa.Table, *, on: Sequence[str], where: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys of both tables as numbers that are equal where all key columns are; -1 where one is missing."""
    combined = np.zeros(table.num_rows + other.num_rows, np.int64)
    absent = np.zeros(len(combined), bool)
    for name in on:
        ours = codes_of(column_of(table, name, where=where), name=name)
        theirs = codes_of(column_of(other, name, where=where), name=name)
        numbers = {text: number for number, text in enumerate(dict.fromkeys((*ours.texts, *theirs.texts)))}
        codes = np.concatenate(
            [_renumbered(ours.indices, ours.texts, numbers), _renumbered(theirs.indices, theirs.texts, numbers)]
        )
        absent |= codes < 0
        combined = np.unique(combined * (len(numbers) + 1) + codes, return_inverse=True)[1]
    combined[absent] = -1
    return combined[: table.num_rows], combined[table.num_rows :]


def _renumbered(indices: NDArray[np.int32], texts: Sequence[str], numbers: dict[str, int]) -> NDArray[np.int64]:
    return np.array([*(numbers[text] for text in texts), -1], dtype=np.int64)[indices]
