"""Raw rows to the arrays that the network reads, exactly as in training. Needs numpy only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING or __package__:
    from .value_text import Places, Spelling, is_missing, number_of
else:  # this folder itself is on the import path
    from value_text import Places, Spelling, is_missing, number_of

PLAIN = Spelling()  # of numbers inside texts of vectors


class Preprocessing:
    """Encodes rows as ``preprocessing.json`` and ``vocabularies.json`` say.

    Args:
        columns: what ``preprocessing.json`` holds.
        vocabularies: what ``vocabularies.json`` holds.
    """

    def __init__(self, columns: Mapping[str, Any], vocabularies: Mapping[str, Any]) -> None:
        self._categorical = columns["categorical"]
        self._numeric = columns["numeric"]
        self._dense = columns["dense"]
        self._bags = columns["bags"]
        self._images = columns.get("images", [])
        reading = columns["reading"]
        self._spelling = Spelling(
            reading["decimal"], reading["thousands"], reading["date_format"], frozenset(reading["missing"])
        )
        self._tables, self._bag_tables = (
            [
                Places(vocabulary["values"], reading["kinds"].get(vocabulary["name"], "text"), self._spelling)
                for vocabulary in vocabularies[group]
            ]
            for group in ("categorical", "bags")
        )

    @staticmethod
    def load(folder: str | Path) -> Preprocessing:
        """The preprocessing whose tables lie in this folder."""
        texts = [
            (Path(folder) / f"{name}.json").read_text(encoding="utf-8") for name in ("preprocessing", "vocabularies")
        ]
        return Preprocessing(*(json.loads(text) for text in texts))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows need."""
        groups = (self._categorical, self._numeric, self._dense, self._bags, self._images)
        return tuple(column["name"] for group in groups for column in group)

    def __call__(self, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Arrays by the names of the arguments of the network's ``forward``.

        Args:
            rows: column name to a list or array with one value a row, a data frame, an arrow table, or a list with a
                mapping for each row; other columns are passed over. A value may come as the text that stood in the
                file of the training, or as the number, boolean or moment that a reader makes of it. ``None``, NaN,
                the empty text and the texts that stood for nothing in training are missing values. Dense and
                multi-valued columns hold lists, or texts to split; image columns hold numbers from 0 to 255, nested
                or flat, as channels, rows, columns.

        Raises:
            ValueError: a column is missing or too short, or holds a value that is no number, infinite, or a vector
                of another length; the message names the column and the row, counted from 1.
        """
        columns = _by_column(rows, self.columns)
        found = {name: _values(columns, name) for name in self.columns}
        num_rows = len(next(iter(found.values())))
        for name, values in found.items():
            if len(values) != num_rows:
                raise ValueError(f"column {name!r}: expected {num_rows} values, found {len(values)}")
        numbers = {column["name"]: self._column(found[column["name"]], column["name"]) for column in self._numeric}
        arrays: dict[str, NDArray[Any]] = {}
        indices = [
            [_known(table, value, column["name"]) for value in found[column["name"]]]
            for column, table in zip(self._categorical, self._tables, strict=True)
        ]
        indices += [_ranges(numbers[column["name"]], column["edges"]) for column in self._numeric if column["edges"]]
        if indices:
            arrays["categorical"] = np.array(indices, dtype=np.int64).T.copy()
        if self._numeric or self._dense or self._images:
            arrays["numeric"] = self._standardised(numbers, found, num_rows)
        for column, table in zip(self._bags, self._bag_tables, strict=True):
            arrays[column["argument"]] = _padded(
                [_bag(value, column, table, self._spelling.missing) for value in found[column["name"]]]
            )
        return arrays

    def _standardised(
        self, numbers: Mapping[str, NDArray[np.float64]], found: Mapping[str, Sequence[Any]], num_rows: int
    ) -> NDArray[np.float32]:
        """Prepared numbers, missing indicators, dense vectors, places between knots, then pixels: ``[N, D]``."""
        indicated = [numbers[column["name"]] for column in self._numeric if column["indicator"]]
        parts = [_prepared(numbers[column["name"]], column)[:, None] for column in self._numeric]
        parts += [np.isnan(array)[:, None].astype(np.float64) for array in indicated]
        for column in self._dense:
            rows = [self._vector(value, column, row) for row, value in enumerate(found[column["name"]], 1)]
            parts.append(np.array(rows, dtype=np.float64).reshape(num_rows, len(column["mean"])))
        knotted = [column for column in self._numeric if column["knots"]]
        parts += [_place(numbers[column["name"]], column)[:, None] for column in knotted]
        for column in self._images:
            images = [_pixels(value, column, row) for row, value in enumerate(found[column["name"]], 1)]
            parts.append(np.stack(images) / 255)
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _column(self, values: Sequence[Any], name: str) -> NDArray[np.float64]:
        """A column of numbers, NaN where one is missing."""
        if not any(isinstance(value, str | date | time | timedelta) for value in values):
            try:
                array = np.array(values, dtype=np.float64)
            except (TypeError, ValueError):
                array = np.array([np.inf])  # some value is no number: find out which
            if array.ndim == 1 and not np.isinf(array).any():
                array[np.isin(array, list(self._spelling.missing_numbers))] = np.nan
                return array
        places = (f"column {name!r}, row {row}" for row in range(1, len(values) + 1))
        numbers = [_number(value, self._spelling, place) for value, place in zip(values, places, strict=True)]
        return np.array(numbers, dtype=np.float64)

    def _vector(self, value: Any, column: Mapping[str, Any], row: int) -> NDArray[np.float64]:
        """One standardised vector, zeros if it is missing."""
        place, mean = f"column {column['name']!r}, row {row}", np.array(column["mean"], dtype=np.float64)
        parts = _parts(value, column["separator"])
        if parts is None:
            return np.zeros_like(mean)
        if len(parts) != len(mean):
            raise ValueError(f"{place}: expected a vector of {len(mean)} numbers, found {len(parts)}")
        entries = np.array([_number(part, PLAIN, place) for part in parts], dtype=np.float64)
        if np.isnan(entries).any():
            raise ValueError(f"{place}: expected a vector without missing entries, found {value!r}")
        return np.asarray((entries - mean) / np.array(column["scale"], dtype=np.float64))


def _number(value: Any, spelling: Spelling, place: str) -> float:
    """A finite number, or NaN for a missing value."""
    try:
        return number_of(value, spelling)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _known(table: Places, value: Any, name: str) -> int:
    """The row of a value's embedding, 0 for missing and unknown ones."""
    try:
        return table.find(value)
    except ValueError as error:
        raise ValueError(f"column {name!r}: {error}") from None


def _by_column(rows: Any, names: Sequence[str]) -> Any:
    """Rows of any of the accepted kinds by column; a column that is missing is missing here, too."""
    if hasattr(rows, "column_names") and hasattr(rows, "column"):  # an arrow table
        return {name: rows.column(name) for name in names if name in rows.column_names}
    if isinstance(rows, list | tuple) and rows and all(isinstance(row, Mapping) for row in rows):
        return {name: [row[name] for row in rows] for name in names if all(name in row for row in rows)}
    return rows


def _values(rows: Mapping[str, Any], name: str) -> Sequence[Any]:
    """A column as plain Python values."""
    if name not in rows:
        raise ValueError(f"rows: expected a column {name!r}, found {', '.join(map(repr, rows))}")
    values = rows[name]
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"column {name!r}: expected a list or array of values, found {values!r}")
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = values.astype("datetime64[us]")
    for plain in ("tolist", "to_pylist", "to_list"):  # arrays, and the columns of data frames
        if hasattr(values, plain):
            return list(getattr(values, plain)())
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _prepared(numbers: NDArray[np.float64], column: Mapping[str, Any]) -> NDArray[np.float64]:
    """Numbers less the training's centre, by its scale, or by its quantiles; the centre for a missing one."""
    known = np.where(np.isnan(numbers), column["mean"], numbers)
    if column["curve"]:
        return np.asarray(np.interp(known / 2, np.array(column["curve"], dtype=np.float64) / 2, column["levels"]))
    with np.errstate(over="ignore"):
        scaled = np.clip((known - column["mean"]) / column["scale"], -1e6, 1e6)
    return np.asarray(scaled / np.sqrt(1 + (scaled / 3) ** 2) if column["smooth"] else scaled)


def _place(numbers: NDArray[np.float64], column: Mapping[str, Any]) -> NDArray[np.float64]:
    """Where between the column's knots each number lies: 2.25 is a quarter of the way from the third to the fourth."""
    knots = np.array(column["knots"], dtype=np.float64)
    known = np.where(np.isnan(numbers), column["mean"], numbers)
    segment = np.clip(np.searchsorted(knots, known, side="right") - 1, 0, len(knots) - 2)
    begin, end = knots[segment] / 2, knots[segment + 1] / 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.nan_to_num((known / 2 - begin) / (end - begin), nan=0.0)
    return np.asarray(segment + np.clip(share, 0, 1))


def _ranges(numbers: NDArray[np.float64], edges: Sequence[float]) -> list[int]:
    """Which range each number lies in, counted from 1; 0 for a missing one."""
    ranges = 1 + np.searchsorted(edges, numbers, side="right")
    return [int(row) for row in np.where(np.isnan(numbers), 0, ranges)]


def _parts(value: Any, separator: str) -> Sequence[Any] | None:
    """The elements of a value that holds several; ``None`` for a missing one."""
    if isinstance(value, str):
        return value.split(separator) if value else None
    if isinstance(value, Iterable):
        return [part.item() if isinstance(part, np.generic) else part for part in value]
    return None if is_missing(value) else [value]


def _bag(value: Any, column: Mapping[str, Any], table: Places, missing: frozenset[str]) -> list[int]:
    """Table rows of a bag's elements; missing elements are left out."""
    if isinstance(value, str) and value in missing:
        return []
    parts = [part.strip() if isinstance(part, str) else part for part in _parts(value, column["separator"]) or ()]
    return [_known(table, part, column["name"]) for part in parts if not is_missing(part)]


def _pixels(value: Any, column: Mapping[str, Any], row: int) -> NDArray[np.float64]:
    """One image as a flat vector, zeros if it is missing."""
    place, shape = f"column {column['name']!r}, row {row}", tuple(column["shape"])
    if not isinstance(value, np.ndarray | Iterable) and is_missing(value):
        return np.zeros(math.prod(shape))
    try:
        pixels = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        pixels = np.array(np.nan)
    if pixels.shape not in (shape, (math.prod(shape),)):
        raise ValueError(f"{place}: expected an image of shape {shape}, found shape {pixels.shape}")
    if not ((pixels >= 0) & (pixels <= 255)).all():
        raise ValueError(f"{place}: expected pixels from 0 to 255, found {pixels.min():g} to {pixels.max():g}")
    return pixels.reshape(-1)


def _padded(bags: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Bags as ``[N, longest]``, filled up with -1."""
    padded = np.full((len(bags), max((len(bag) for bag in bags), default=0) or 1), -1, dtype=np.int64)
    for row, bag in enumerate(bags):
        padded[row, : len(bag)] = bag
    return padded
