"""Views of one table column: its values as codes with texts, as numbers, or as lists.

A value has one text however it was stored (the integer 3, the float 3.0 and the text "3" are all "3"; ``value_text``
says which), so that a vocabulary fitted on CSV also reads Parquet. Null, NaN and the empty text are missing. Messages
count rows from 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mtnas.data.columns.rows import Rows
from mtnas.data.columns.storage import SEVERAL_VALUES, Storage, storage_of
from mtnas.data.columns.value_text import EXACT, MISSING_TEXTS, Spelling, clock_text
from mtnas.data.columns.value_text import parse_number as parse_spelled
from mtnas.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column


NULL_HINT = " (if it means a missing value: data.source.null_values)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A column as indices into its distinct values.

    Attributes:
        indices: int32 ``[N]``; -1 = missing.
        texts: the distinct values, in the order of first appearance.
    """

    indices: NDArray[np.int32]
    texts: tuple[str, ...]


def column_of(table: Rows, name: str, *, where: str | None = None) -> Column:
    """The column with that name.

    Raises:
        DataError: the table has none.
    """
    if name not in table.column_names:
        raise DataError(
            expected=f"one of the columns {_listed(table.column_names)}",
            found=repr(name),
            where=where or f"column {name!r}",
        )
    return table.column(name)


def decoded(column: Column) -> Column:
    """The column with its values in place of codes, if it is stored as codes."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


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
        column = _moments(column)
    if storage is Storage.NUMBER:
        column = pc.add(as_float64(column), 0.0)  # -0.0 becomes 0.0
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
    filled: Any = pc.fill_null(as_float64(column), pa.scalar(np.nan))
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
    number = parse_spelled(stripped, Spelling()) if stripped[:2].lower() != "0x" else None
    return None if number is None else float(number)


def as_float64(column: Any) -> Any:
    """Numbers of an array or column as float64, decimals correctly rounded; durations are seconds."""
    if pa.types.is_decimal(column.type):
        return column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_duration(column.type):
        ticks = column.cast(pa.duration("us"), safe=False).cast(pa.int64())
        return _ticks_to_seconds(ticks)
    return column.cast(pa.float64(), safe=False)


def texts_of_values(values: Any) -> list[str | None]:
    """The one text of each value of an arrow array; ``None`` for a missing one."""
    kind = values.type
    if pa.types.is_floating(kind):
        return _texts_of_floats(values.cast(pa.float64()))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return _texts_of_moments(_moments(values))
    if pa.types.is_decimal(kind) or pa.types.is_duration(kind):
        return _texts_of_floats(as_float64(values))
    texts: list[str | None] = values.cast(pa.string()).to_pylist()
    return texts


def _distinct_codes(encoded: Any) -> Codes:
    """Codes of a dictionary array, its entries made distinct; the empty text and NaN are missing."""
    indices = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    numbers: dict[str, int] = {}
    code_of_entry = [
        numbers.setdefault(text, len(numbers)) if text else -1 for text in texts_of_values(encoded.dictionary)
    ]
    return Codes(indices=np.array([*code_of_entry, -1], dtype=np.int32)[indices], texts=tuple(numbers))


def _texts_of_floats(values: Any) -> list[str | None]:
    """As ``value_text.number_text``."""
    numbers = np.asarray(pc.fill_null(values, pa.scalar(np.nan)).to_numpy(zero_copy_only=False))
    whole = (np.abs(numbers) < EXACT) & (numbers == np.floor(numbers))
    exact = np.where(whole, numbers, 0).astype(np.int64).tolist()
    return [
        str(exact[index]) if is_whole else None if number != number else repr(number)
        for index, (number, is_whole) in enumerate(zip(numbers.tolist(), whole.tolist(), strict=True))
    ]


def _texts_of_moments(values: Any) -> list[str | None]:
    """As ``value_text.moment_text``, of microseconds since 1970 or midnight."""
    ticks = values.cast(pa.int64()).to_pylist()
    of_day = pa.types.is_time(values.type)
    texts: list[str | None] = []
    for tick in ticks:
        if tick is None:
            texts.append(None)
            continue
        days, rest = (0, tick) if of_day else divmod(tick, 86_400_000_000)
        clock = clock_text(*divmod(rest, 1_000_000)) if rest or of_day else ""
        texts.append(clock if of_day else f"{np.datetime64(days, 'D')} {clock}".rstrip())
    return texts


def _numbers_of_texts(column: Column, *, name: str) -> NDArray[np.float64]:
    codes = codes_of(column, name=name)
    values = [parse_number(text) for text in codes.texts]
    wrong = np.array([*(value is None for value in values), False])[codes.indices]
    if wrong.any():
        row = int(wrong.argmax())
        found = codes.texts[codes.indices[row]]
        raise DataError(
            expected="a number", found=repr(found[:80]) + NULL_HINT, where=f"column {name!r}, row {row + 1}"
        )
    return np.array([*values, np.nan], dtype=np.float64)[codes.indices]


def _seconds(column: Any) -> Any:
    return _ticks_to_seconds(_moments(column).cast(pa.int64()))


def _moments(column: Any) -> Any:
    """Times of day, days and moments in microseconds, as other readers of the same file have them."""
    kind = column.type
    if pa.types.is_time(kind):
        return column.cast(pa.time64("us"), safe=False)
    zone = kind.tz if pa.types.is_timestamp(kind) else None
    return column.cast(pa.timestamp("us", zone), safe=False)


def _ticks_to_seconds(ticks: Any) -> Any:
    """Microseconds to seconds; whole seconds and the rest apart, so that nothing is rounded twice."""
    whole = pc.divide(ticks, 1_000_000)  # towards zero
    whole = pc.if_else(pc.greater(pc.multiply(whole, 1_000_000), ticks), pc.subtract(whole, 1), whole)
    rest = pc.subtract(ticks, pc.multiply(whole, 1_000_000))
    return pc.add(whole.cast(pa.float64()), pc.divide(rest.cast(pa.float64()), 1e6))


def _listed(names: Iterable[str], *, limit: int = 20) -> str:
    shown = list(names)
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")
