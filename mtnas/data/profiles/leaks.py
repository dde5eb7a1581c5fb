"""Ways in which a split lets the test part be known in training: rows twice, users and times cut at random."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mtnas.data.columns.column import column_of
from mtnas.data.columns.rows import Rows
from mtnas.data.columns.storage import Storage, storage_of_type
from mtnas.data.columns.value_text import EXACT
from mtnas.data.data_spec import RatioSplit, Split
from mtnas.data.encoding.encode import EncodedRows
from mtnas.data.encoding.mapped import forget_pages
from mtnas.data.parts import Parts
from mtnas.data.problem import Problem
from mtnas.data.schema import DataSchema

_LEAST_SHARE = 0.01  # of rows that occur in training too, before it is told
_ROOM = 1000  # so many times more combinations of values than rows: then equal rows are copies, no chance
_MOST_ONCE = 0.5
_BLOCK = 1 << 16
_LEAST_ROWS = 50
_GROUPS = frozenset({"user", "customer", "client", "patient", "person", "member", "session", "household", "account"})


def find_leaks(
    split: Split, table: Rows, schema: DataSchema, rows: EncodedRows, labels: NDArray[np.float64], parts: Parts
) -> Iterator[Problem]:
    """Warnings.

    Args:
        split: how the rows were divided.
        table: the rows as they were read.
        schema: the inputs.
        rows: the encoded inputs.
        labels: ``[N, T]``.
        parts: row numbers of each part.
    """
    yield from _copies(schema, rows, labels, parts)
    yield from _ids(schema, rows, parts["train"])
    yield from _lost_digits(table, schema)
    if isinstance(split, RatioSplit):
        yield from _cut_at_random(table)


def _copies(schema: DataSchema, rows: EncodedRows, labels: NDArray[np.float64], parts: Parts) -> Iterator[Problem]:
    arrays: list[NDArray[np.uint32]] = [array.view(np.uint32) for array in (rows.categorical, rows.numeric, labels)]
    if schema.bags or schema.images or not sum(array.shape[1] for array in arrays[:2]):
        return
    keys = _keys(arrays)
    held_out = np.concatenate([parts["valid"], parts["test"]])
    trained = pa.array(np.concatenate([keys[parts["train"]], keys[parts["search"]]]))
    share = float(np.mean(pc.is_in(pa.array(keys[held_out]), value_set=trained).to_numpy(zero_copy_only=False)))
    if share < _LEAST_SHARE or _combinations(arrays[:2], parts["train"]) < _ROOM * len(labels):
        return
    yield Problem(
        severity="warning",
        expected="rows of valid and test that are not in training as well",
        found=f"{share:.1%} that equal a training row in all inputs and labels (remove copies, or split by group)",
        where="data.split",
    )


def _keys(arrays: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint64]:
    """A number for each row; equal rows have equal ones, and others hardly ever do: random weights modulo 2^64."""
    generator = np.random.default_rng(0)
    keys = np.zeros(len(arrays[0]), np.uint64)
    for array in arrays:
        weights = generator.integers(0, 2**63, size=array.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        for start in range(0, len(array), _BLOCK):
            keys[start : start + _BLOCK] += array[start : start + _BLOCK].astype(np.uint64) @ weights
            forget_pages(array)
    return keys


def _combinations(arrays: Sequence[NDArray[np.uint32]], train: NDArray[np.int64]) -> float:
    """How many rows the values of the columns could make, judged by a few of them."""
    sample = train[:: max(1, len(train) // 2000)]
    product = 1.0
    for array in arrays:
        for column in array[sample].T:
            counts = np.unique(column, return_counts=True)[1] / len(sample)
            product *= float(np.exp(-(counts * np.log(counts)).sum()))
    return product


def _ids(schema: DataSchema, rows: EncodedRows, train: NDArray[np.int64]) -> Iterator[Problem]:
    if len(train) < _LEAST_ROWS:
        return
    for index, column in enumerate(schema.categorical):
        if len(column.values) < _MOST_ONCE * len(train):
            continue
        counts = np.bincount(rows.categorical[train, index], minlength=len(column.values) + 1)[1:]
        once = float((counts == 1).sum() / len(train))
        if once >= _MOST_ONCE:
            yield Problem(
                severity="warning",
                expected="values that come back (or the column excluded)",
                found=f"a value that occurs once in {once:.0%} of the training rows, of which nothing can be learnt",
                where=f"column {column.name!r}",
            )


def _lost_digits(table: Rows, schema: DataSchema) -> Iterator[Problem]:
    """Whole numbers read as numbers although different ones are the same float64: ids, more often than quantities."""
    for column in schema.numeric:
        if not pa.types.is_integer(table.schema.field(column.name).type):
            continue
        values = column_of(table, column.name)
        bounds: Any = pc.min_max(values).as_py()
        if all(bound is None or abs(bound) <= EXACT for bound in bounds.values()):
            continue
        exact = pc.unique(values.drop_null())
        kept = len(np.unique(exact.to_numpy(zero_copy_only=False).astype(np.float64)))
        if kept < len(exact):
            yield Problem(
                severity="warning",
                expected="ids read as categories (data.features: kind categorical)",
                found=f"{len(exact)} different whole numbers, of which {kept} are left when they are read as numbers",
                where=f"column {column.name!r}",
            )


def _cut_at_random(table: Rows) -> Iterator[Problem]:
    for name in table.column_names:
        kind = table.schema.field(name).type
        if storage_of_type(kind) is Storage.TIME and not pa.types.is_time(kind):
            yield Problem(
                severity="warning",
                expected=f"a split by time (data.split: kind time, column {name!r}) where the future is to be foretold",
                found="a random split beside a column of moments",
                where=f"column {name!r}",
            )
        elif _names_a_group(name) and _comes_back(table, name):
            yield Problem(
                severity="warning",
                expected=f"a split by group (data.split: kind group, column {name!r}) where new ones are to be judged",
                found="a random split, which puts rows of one into training and test",
                where=f"column {name!r}",
            )


def _names_a_group(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    parts = [word for word in re.split(r"[^a-z]+", words) if word not in ("id", "ids", "hash", "key", "no", "")]
    return parts != [] and parts[-1] in _GROUPS


def _comes_back(table: Rows, name: str) -> bool:
    """Whether there are many values, and fewer than rows."""
    storage = storage_of_type(table.schema.field(name).type)
    if storage not in (Storage.INTEGER, Storage.TEXT):
        return False
    distinct = len(table.column(name).unique())
    return table.num_rows >= _LEAST_ROWS and 10 < distinct < 0.9 * table.num_rows
