"""Views of a column whose rows hold several values: vectors of one length, or bags of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mtnas.data.columns.column import Codes, codes_of, decoded, numbers_of, texts_of_values
from mtnas.data.columns.storage import Storage, storage_of
from mtnas.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of all rows, end to end: row ``n`` has those from ``offsets[n]`` up to ``offsets[n + 1]``."""

    offsets: NDArray[np.int64]
    codes: Codes


def dense_of(column: Column, *, name: str, separator: str, size: int | None = None) -> NDArray[np.float64]:
    """The column as float64 ``[N, size]``; a missing vector is NaN throughout.

    Args:
        column: lists of numbers, or texts to split at ``separator``.
        name: of the column, for messages.
        separator: between the numbers of a text.
        size: length of every vector; ``None`` takes it from the first row that has one.

    Raises:
        DataError: a vector has another length, or an entry that is no number, missing or infinite.
    """
    lengths, elements = _split(column, name=name, separator=separator)
    present = lengths >= 0
    if size is None:
        size = int(lengths[present.argmax()]) if present.any() else 0
    wrong = present & (lengths != size)
    if wrong.any():
        row = int(wrong.argmax())
        found = f"a vector of {lengths[row]}"
        raise DataError(expected=f"vectors of {size} numbers", found=found, where=f"column {name!r}, row {row + 1}")
    vectors = np.full((len(lengths), size), np.nan)
    vectors[present] = _entries(elements, name=name, rows=np.flatnonzero(present), size=size)
    return vectors


def tokens_of(column: Column, *, name: str, separator: str) -> Tokens:
    """The column as bags of tokens; a missing value is an empty bag. Empty tokens are dropped.

    Raises:
        DataError: it holds structures.
    """
    lengths, elements = _split(column, name=name, separator=separator)
    if storage_of(elements) is Storage.TEXT:
        elements = pc.utf8_trim_whitespace(elements)
    codes = codes_of(elements, name=name)
    rows = np.repeat(np.arange(len(lengths)), np.maximum(lengths, 0))
    kept = codes.indices >= 0
    counts = np.bincount(rows[kept], minlength=len(lengths))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    return Tokens(offsets=offsets, codes=Codes(indices=codes.indices[kept], texts=codes.texts))


def _split(column: Column, *, name: str, separator: str) -> tuple[NDArray[np.int64], Column]:
    """The number of elements of each row (-1 = missing), and all elements."""
    column = decoded(column)
    storage = storage_of(column)
    if storage in (Storage.IMAGE, Storage.OTHER):
        raise DataError(expected="lists or texts", found=f"values of type {column.type}", where=f"column {name!r}")
    if storage is Storage.EMPTY:
        return np.full(len(column), -1, np.int64), pa.chunked_array([], pa.string())
    if storage not in (Storage.NUMBER_LIST, Storage.TEXT_LIST):
        texts: Any = column.cast(pa.string())
        if storage is not Storage.TEXT:
            texts = pa.chunked_array([pa.array(texts_of_values(column.combine_chunks()), pa.string())])
        texts = pc.if_else(pc.equal(texts, pa.scalar("")), pa.scalar(None, pa.string()), texts)
        lists: Any = pc.split_pattern(texts, pattern=separator)
    else:
        lists = column
    lengths: Any = pc.fill_null(pc.list_value_length(lists).cast(pa.int64()), pa.scalar(-1))
    return lengths.to_numpy(), pc.list_flatten(lists)


def _entries(elements: Column, *, name: str, rows: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """The elements as finite numbers, ``[len(rows), size]``."""
    try:
        values = numbers_of(elements, name=name)
    except DataError as error:
        element = int(error.where.rsplit(" ", 1)[1]) - 1
        place = f"column {name!r}, row {rows[element // size] + 1}, entry {element % size + 1}"
        raise DataError(expected=error.expected, found=error.found, where=place) from error
    wrong = ~np.isfinite(values)
    if wrong.any():
        element = int(wrong.argmax())
        place = f"column {name!r}, row {rows[element // size] + 1}, entry {element % size + 1}"
        raise DataError(expected="finite numbers", found=str(values[element]), where=place)
    return values.reshape(len(rows), size)
