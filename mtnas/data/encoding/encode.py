"""Encoding: rows of a table to arrays, as a fitted schema says. Nothing is learnt from the rows here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtnas.data.columns.column import codes_of, column_of, finite_numbers_of
from mtnas.data.columns.image_columns import pixels_of
from mtnas.data.columns.lists import dense_of, tokens_of
from mtnas.data.columns.storage import value_kind_of
from mtnas.data.columns.value_text import Places as Spelled
from mtnas.data.columns.value_text import ValueKind
from mtnas.data.encoding.knots import place_among
from mtnas.data.encoding.preparing import prepared
from mtnas.data.schema import DataSchema
from mtnas.data.schema_columns import BagColumn, CategoricalColumn, DenseColumn, NumericColumn, Reading

_BLOCK_ROWS = 1024

Bag: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32]]
Places: TypeAlias = dict[str, dict[str, int]]
"""Where the values of vocabularies stand, by column; filled when a column is first encoded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedRows:
    """Inputs of N rows.

    Attributes:
        categorical: int32 ``[N, C]``: index into feature c's vocabulary; 0 = out of vocabulary or missing. Ranges of
            numeric columns follow the categorical columns.
        numeric: float32 ``[N, D]``: prepared numbers, then their missing indicators, then dense vectors, then the
            places of numbers between their knots.
        bags: per multi-valued feature: offsets int64 ``[N + 1]`` and indices int32.
        images: uint8 ``[N, P]``, all images of a row one after another; divided by 255 they follow the numeric inputs.
    """

    categorical: NDArray[np.int32]
    numeric: NDArray[np.float32]
    bags: tuple[Bag, ...]
    images: NDArray[np.uint8]


def encode_rows(schema: DataSchema, table: pa.Table, *, places: Places | None = None) -> EncodedRows:
    """The table's rows as the schema encodes them. Needs the input columns only; others are not looked at.

    Args:
        schema: how.
        table: the rows.
        places: kept between calls for blocks of one table.

    Raises:
        DataError: an input column is missing, or holds a value that is no number, infinite, or of another length.
    """
    known = {} if places is None else places
    categorical = np.empty((len(schema.categorical) + len(schema.binned), table.num_rows), np.int32)
    for index, column in enumerate(schema.categorical):
        categorical[index] = _encode_categorical(column, table, schema.reading, known)
    for index, binned in enumerate(schema.binned, start=len(schema.categorical)):
        categorical[index] = _encode_binned(binned, table)
    numeric = np.empty((schema.num_without_places + len(schema.with_knots), table.num_rows), np.float32)
    _fill_numeric(schema.numeric, table, numeric, places=schema.num_without_places)
    start = schema.num_without_places - sum(len(column.mean) for column in schema.dense)
    for vectors in schema.dense:
        numeric[start : start + len(vectors.mean)] = _encode_dense(vectors, table).T
        start += len(vectors.mean)
    bags = tuple(_encode_bag(column, table, schema.reading, known) for column in schema.bags)
    images = [
        pixels_of(column_of(table, column.name), name=column.name, shape=column.shape) for column in schema.images
    ]
    pixels = np.concatenate(images, axis=1) if images else np.empty((table.num_rows, 0), np.uint8)
    return EncodedRows(categorical=_by_row(categorical), numeric=_by_row(numeric), bags=bags, images=pixels)


def _by_row(columns_DN: NDArray[Any]) -> NDArray[Any]:
    """Columns as rows, contiguous. In blocks that stay in the processor's cache: writing columns into rows does not."""
    rows_ND = np.empty(columns_DN.shape[::-1], columns_DN.dtype)
    for start in range(0, len(rows_ND), _BLOCK_ROWS):
        rows_ND[start : start + _BLOCK_ROWS] = columns_DN[:, start : start + _BLOCK_ROWS].T
    return rows_ND


def _encode_categorical(
    column: CategoricalColumn, table: pa.Table, reading: Reading, places: Places
) -> NDArray[np.int32]:
    found = column_of(table, column.name)
    codes = codes_of(found, name=column.name)
    kind = value_kind_of(found)
    return _vocabulary_index(column, codes.texts, kind=kind, reading=reading, places=places)[codes.indices]


def _encode_binned(column: NumericColumn, table: pa.Table) -> NDArray[np.int64]:
    values = finite_numbers_of(column_of(table, column.name), name=column.name)
    return np.where(np.isnan(values), 0, 1 + np.searchsorted(column.edges, values, side="right"))


def _fill_numeric(
    columns: Sequence[NumericColumn], table: pa.Table, numeric: NDArray[np.float32], *, places: int
) -> None:
    indicator = len(columns)
    for index, column in enumerate(columns):
        values = finite_numbers_of(column_of(table, column.name), name=column.name)
        numeric[index] = prepared(column, values)
        if column.indicator:
            numeric[indicator] = np.isnan(values)
            indicator += 1
        if column.knots:
            numeric[places] = place_among(column, values)
            places += 1


def _encode_dense(column: DenseColumn, table: pa.Table) -> NDArray[np.float64]:
    size = len(column.mean)
    vectors = dense_of(column_of(table, column.name), name=column.name, separator=column.separator, size=size)
    standardised: NDArray[np.float64] = (vectors - np.asarray(column.mean)) / np.asarray(column.scale)
    standardised[np.isnan(standardised)] = 0.0
    return standardised


def _encode_bag(column: BagColumn, table: pa.Table, reading: Reading, known: Places) -> Bag:
    found = column_of(table, column.name)
    tokens = tokens_of(found, name=column.name, separator=column.separator)
    kind = value_kind_of(found)
    places = _vocabulary_index(column, tokens.codes.texts, kind=kind, reading=reading, places=known)
    values = places[tokens.codes.indices]
    return tokens.offsets, values


def _vocabulary_index(
    column: CategoricalColumn | BagColumn, texts: Sequence[str], *, kind: ValueKind, reading: Reading, places: Places
) -> NDArray[np.int32]:
    """For each text its index in the vocabulary, with a 0 at the end where code -1 (missing) looks.

    Args:
        column: what holds the vocabulary.
        texts: distinct values of the table's column.
        kind: of those values; where the vocabulary's are of another kind, equal values are found as in serving.
        reading: of the schema.
        places: of vocabularies that were asked for before.
    """
    fitted = reading.kinds.get(column.name, kind)
    if kind != fitted:
        known = Spelled(column.values, fitted, reading.spelling)
        return np.array([*(known.find_text(text, kind) for text in texts), 0], dtype=np.int32)
    if column.name not in places:
        places[column.name] = {value: index + 1 for index, value in enumerate(column.values)}
    place = places[column.name]
    return np.array([*(place.get(text, 0) for text in texts), 0], dtype=np.int32)
