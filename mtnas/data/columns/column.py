"""Views of one table column: what it stores, its values as codes with texts, as numbers, or as lists.

A value has one text however it was stored (the integer 3, the float 3.0 and the text "3" are all "3"), so that a
vocabulary fitted on CSV also reads Parquet. Null, NaN and the empty text are missing. Messages count rows from 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mtnas.data.columns.image_columns import is_image
from mtnas.data.data_spec import MISSING_TEXTS
from mtnas.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column


class Storage(StrEnum):
    """How a column's values are stored."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    TIME = "time"
    NUMBER_LIST = "number_list"
    TEXT_LIST = "text_list"
    IMAGE = "image"
    EMPTY = "empty"
    OTHER = "other"


SEVERAL_VALUES = (Storage.NUMBER_LIST, Storage.TEXT_LIST, Storage.IMAGE, Storage.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A column as indices into its distinct values.

    Attributes:
        indices: int32 ``[N]``; -1 = missing.
        texts: the distinct values, in the order of first appearance.
    """

    indices: NDArray[np.int32]
    texts: tuple[str, ...]


def column_of(table: pa.Table, name: str, *, where: str | None = None) -> Column:
    """The column with that name.

    Raises:
        DataError: the table has none, or it holds bytes that are no text.
    """
    if name not in table.column_names:
        raise DataError(
            expected=f"one of the columns {_listed(table.column_names)}",
            found=repr(name),
            where=where or f"column {name!r}",
        )
    column = table.column(name)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        raise DataError(expected="text in UTF-8", found="other bytes", where=f"column {name!r}")
    return column


def decoded(column: Column) -> Column:
    """The column with its values in place of codes, if it is stored as codes."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def storage_of(column: Column) -> Storage:
    """How the column's values are stored."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    types = pa.types
    if is_image(kind):
        return Storage.IMAGE
    if types.is_boolean(kind):
        return Storage.BOOLEAN
    if types.is_integer(kind):
        return Storage.INTEGER
    if types.is_floating(kind) or types.is_decimal(kind):
        return Storage.NUMBER
    if _is_text(kind):
        return Storage.TEXT
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind):
        return Storage.TIME
    if types.is_null(kind):
        return Storage.EMPTY
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = kind.value_type
        if types.is_integer(inner) or types.is_floating(inner):
            return Storage.NUMBER_LIST
        return Storage.TEXT_LIST if _is_text(inner) else Storage.OTHER
    return Storage.OTHER


def codes_of(column: Column, *, name: str) -> Codes:
    """The column as indices into its distinct values.

    Raises:
        DataError: it holds lists or structures.
    """
    storage = storage_of(column)
    if storage in SEVERAL_VALUES:
        raise DataError(expected="one value a row", found=f"values of type {column.type}", where=f"column {name!r}")
    if storage is Storage.EMPTY:
        return Codes(indices=np.full(len(column), -1, np.int32), texts=())
    if storage is Storage.TEXT and pa.types.is_dictionary(column.type):
        return _distinct_codes(column.unify_dictionaries().combine_chunks())
    column = decoded(column)
    if storage is Storage.TIME:
        column = column.cast(pa.string())
    if storage is Storage.NUMBER:
        column = pc.add(column.cast(pa.float64()), 0.0)  # -0.0 becomes 0.0
    return _distinct_codes(pc.dictionary_encode(column).unify_dictionaries().combine_chunks())


def numbers_of(column: Column, *, name: str) -> NDArray[np.float64]:
    """The column as float64 ``[N]`` with NaN where missing; times are seconds since 1970.

    Raises:
        DataError: some value is not a number; the message names the row.
    """
    storage = storage_of(column)
    if storage is Storage.EMPTY:
        return np.full(len(column), np.nan)
    if storage is Storage.TEXT:
        return _numbers_of_texts(column, name=name)
    column = decoded(column)
    if storage is Storage.TIME:
        column = _seconds(column)
    elif storage in SEVERAL_VALUES:
        raise DataError(expected="a number a row", found=f"values of type {column.type}", where=f"column {name!r}")
    elif storage is Storage.BOOLEAN:
        column = column.cast(pa.uint8())
    filled: Any = pc.fill_null(column.cast(pa.float64(), safe=False), pa.scalar(np.nan))
    return np.asarray(filled.to_numpy(), dtype=np.float64)


def finite_numbers_of(column: Column, *, name: str) -> NDArray[np.float64]:
    """As ``numbers_of``, infinities refused.

    Raises:
        DataError: some value is no number or infinite; the message names the row.
    """
    values = numbers_of(column, name=name)
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise DataError(expected="finite numbers", found=str(values[row]), where=f"column {name!r}, row {row + 1}")
    return values


def parse_number(text: str) -> float | None:
    """The number a text spells, NaN for the usual spellings of a missing one, ``None`` if it is no number."""
    stripped = text.strip()
    if stripped in MISSING_TEXTS:
        return float("nan")
    if "_" in stripped:
        return None
    try:
        return float(stripped)
    except ValueError:
        return None


def _distinct_codes(encoded: Any) -> Codes:
    """Codes of a dictionary array, its entries made distinct; the empty text and NaN are missing."""
    indices = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    entries = encoded.dictionary.cast(pa.string()).to_pylist()
    missing = "nan" if pa.types.is_floating(encoded.type.value_type) else ""
    numbers: dict[str, int] = {}
    code_of_entry = [
        -1 if text is None or text == missing else numbers.setdefault(text, len(numbers)) for text in entries
    ]
    return Codes(indices=np.array([*code_of_entry, -1], dtype=np.int32)[indices], texts=tuple(numbers))


def _numbers_of_texts(column: Column, *, name: str) -> NDArray[np.float64]:
    codes = codes_of(column, name=name)
    values = [parse_number(text) for text in codes.texts]
    wrong = np.array([*(value is None for value in values), False])[codes.indices]
    if wrong.any():
        row = int(wrong.argmax())
        found = codes.texts[codes.indices[row]]
        raise DataError(expected="a number", found=repr(found[:80]), where=f"column {name!r}, row {row + 1}")
    return np.array([*values, np.nan], dtype=np.float64)[codes.indices]


def _seconds(column: Column) -> Column:
    kind = column.type
    if pa.types.is_time(kind):
        ticks = column.cast(pa.time64("ns")).cast(pa.int64())
    else:
        ticks = column.cast(pa.timestamp("ns")).cast(pa.int64())
    return pc.divide(ticks.cast(pa.float64(), safe=False), 1e9)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _listed(names: Iterable[str], *, limit: int = 20) -> str:
    shown = list(names)
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")
