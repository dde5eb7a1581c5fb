"""Counting what a table's columns hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mtnas.data.class_values import ZERO_AND_ONE, spelling
from mtnas.data.columns.column import as_float64, column_of, decoded, parse_number, texts_of_values
from mtnas.data.columns.image_columns import image_shape
from mtnas.data.columns.rows import Rows
from mtnas.data.columns.storage import Storage, storage_of
from mtnas.data.profiles.profile import ColumnProfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column

    Values: TypeAlias = pa.Array[Any]

_SHOWN_VALUES = 20
_SHOWN_CHARACTERS = 80
_SEPARATORS = ("|", ";", ",", " ")
_LOOKED_AT = 2_000  # distinct texts, to judge what kind of text they are


def profile_columns(table: Rows, *, index: Collection[str] = ()) -> tuple[ColumnProfile, ...]:
    """Every column of the table as counts. What the columns hold is no error here: the profile says it.

    Args:
        table: the rows.
        index: columns that are the index of a data frame.
    """
    profiles = (_profile_column(decoded(column_of(table, name)), name=name) for name in table.column_names)
    return tuple(replace(each, index=True) if each.name in index else each for each in profiles)


def _profile_column(column: Column, *, name: str) -> ColumnProfile:
    storage = storage_of(column)
    match storage:
        case Storage.NUMBER_LIST | Storage.TEXT_LIST:
            return _profile_lists(column, name=name, storage=storage)
        case Storage.IMAGE:
            length = prod(image_shape(column, name=name))
            return ColumnProfile(name=name, storage=storage, missing=column.null_count, length=length)
        case Storage.OTHER | Storage.EMPTY:
            return ColumnProfile(name=name, storage=storage, missing=column.null_count)
        case Storage.NUMBER:
            column = as_float64(column)
    counted = column.drop_null().value_counts()
    values, counts = counted.field(0), counted.field(1).to_numpy()
    texts = _texts(values) if storage is Storage.TEXT else []
    numbers = _numbers(values, texts, storage=storage)
    present = np.ones(len(values), bool)
    if storage is Storage.TEXT:
        present = np.array([text != "" for text in texts], bool)
    elif storage is Storage.NUMBER:
        present = ~np.isnan(numbers)
    values, counts, numbers = values.filter(pa.array(present)), counts[present], numbers[present]
    texts = [text for text in texts if text != ""]
    total = int(counts.sum())
    finite = numbers[np.isfinite(numbers)]
    infinite = _first_row(column, values, np.isinf(numbers))
    profiled = ColumnProfile(
        name=name,
        storage=storage,
        missing=len(column) - total,
        distinct=len(values),
        minimum=float(finite.min()) if finite.size else None,
        maximum=float(finite.max()) if finite.size else None,
        whole=bool(finite.size and (finite == np.floor(finite)).all()),
        infinities=int(counts[np.isinf(numbers)].sum()),
        first_infinity=infinite,
        numeric_share=float(counts[~np.isnan(numbers)].sum() / total) if total else 0.0,
        binary_rate=_binary_rate(values, counts),
        top=_most_frequent(values, counts),
    )
    return _with_text_facts(profiled, column, values, texts, numbers) if texts else profiled


def _texts(values: Values) -> list[str]:
    return [str(text) for text in texts_of_values(values)]


def _numbers(values: Values, texts: Sequence[str], *, storage: Storage) -> NDArray[np.float64]:
    """The distinct values as numbers, NaN for those that are none."""
    if storage is Storage.TIME:
        return np.full(len(values), np.nan)
    if storage is Storage.TEXT:
        parsed = [parse_number(text) for text in texts]
        return np.array([np.nan if number is None else number for number in parsed], dtype=np.float64)
    if storage is Storage.BOOLEAN:
        values = values.cast(pa.uint8())
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _first_row(column: Column, values: Values, chosen: NDArray[np.bool_]) -> int | None:
    """The first row, counted from 1, with one of the chosen values."""
    if not chosen.any():
        return None
    return int(pc.is_in(column, value_set=values.filter(pa.array(chosen))).to_numpy().argmax()) + 1


def _binary_rate(values: Values, counts: NDArray[np.int64]) -> float | None:
    if not 0 < len(values) <= 2 * len(ZERO_AND_ONE):
        return None
    spelled = [ZERO_AND_ONE.get(spelling(text)) for text in _texts(values)]
    if None in spelled:
        return None
    return float(np.dot(counts, np.array(spelled, dtype=np.float64)) / counts.sum())


def _most_frequent(values: Values, counts: NDArray[np.int64]) -> tuple[tuple[str, int], ...]:
    if len(counts) > _SHOWN_VALUES:
        least = np.partition(counts, -_SHOWN_VALUES)[-_SHOWN_VALUES]
        kept = counts >= least
        if kept.sum() > 100 * _SHOWN_VALUES:  # nearly all are equally frequent: none is worth showing
            return ()
        values, counts = values.filter(pa.array(kept)), counts[kept]
    pairs = zip(_texts(values), counts.tolist(), strict=True)
    ordered = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:_SHOWN_VALUES]
    return tuple((text[:_SHOWN_CHARACTERS], count) for text, count in ordered)


def _with_text_facts(
    profiled: ColumnProfile, column: Column, values: Values, texts: list[str], numbers: NDArray[np.float64]
) -> ColumnProfile:
    """Adds where a column of numbers has texts, or how its texts split into vectors or tokens."""
    wrong = np.array([parse_number(text) is None for text in texts])
    if profiled.numeric_share > 0 and wrong.any():
        row = _first_row(column, values, wrong)
        assert row is not None
        return replace(profiled, first_text=(row, str(column[row - 1].as_py())[:_SHOWN_CHARACTERS]))
    looked_at = sorted(texts)[:: max(1, len(texts) // _LOOKED_AT)]
    for separator in _SEPARATORS:
        pieces = [[piece.strip() for piece in text.split(separator)] for text in looked_at]
        length = len(pieces[0])
        numeric = all(parse_number(piece) is not None for row in pieces for piece in row)
        if numeric and length > 1 and all(len(row) == length for row in pieces):
            fractions = any("." in piece or "e" in piece.lower() for row in pieces for piece in row)
            return replace(profiled, separator=separator, length=length, fractions=fractions)
        several = sum(len(row) > 1 for row in pieces)
        tokens = {piece for row in pieces for piece in row}
        if separator != " " and several >= 0.3 * len(pieces) and len(tokens) < 0.5 * len(pieces):
            return replace(profiled, separator=separator, tokens=len(tokens))
    return profiled


def _profile_lists(column: Column, *, name: str, storage: Storage) -> ColumnProfile:
    lengths = pc.list_value_length(column).drop_null().to_numpy()
    elements = pc.list_flatten(column)
    fractions, infinities = False, 0
    if storage is Storage.NUMBER_LIST:
        numbers = elements.drop_null().cast(pa.float64(), safe=False).to_numpy()
        fractions = pa.types.is_floating(column.type.value_type)
        infinities = int(np.isinf(numbers).sum())
    return ColumnProfile(
        name=name,
        storage=storage,
        missing=column.null_count,
        infinities=infinities,
        length=int(lengths[0]) if lengths.size and (lengths == lengths[0]).all() else None,
        tokens=int(pc.count_distinct(elements).as_py()),
        fractions=fractions,
    )
