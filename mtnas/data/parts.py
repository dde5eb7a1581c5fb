"""The four disjoint parts of PROTOCOL.md point 1: train, search, valid, test.

Random choices depend on the seed and on the row's own number (or its group), never on how many rows there are: rows
appended later do not move a row to another part, so a test row stays a test row. Only a stratified split, which keeps
shares exactly, cannot promise that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mtnas.data.columns.column import codes_of, column_of, numbers_of
from mtnas.data.columns.rows import Rows
from mtnas.data.columns.storage import Storage, storage_of, value_kind_of
from mtnas.data.columns.value_text import Places, Spelling
from mtnas.data.data_spec import ColumnSplit, GroupSplit, RatioSplit, Split, TimeSplit
from mtnas.errors import DataError

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column

PARTS = ("train", "search", "valid", "test")
Parts: TypeAlias = Mapping[str, NDArray[np.int64]]
Mask: TypeAlias = NDArray[np.bool_]

# Years first, all of one width; hours and a zone may follow.
_CLOCK = r"[ T][0-9]{2}(:?[0-9]{2}(:?[0-9]{2}([.,][0-9]+)?)?)?(Z|[+-][0-9:]+)?"
_ISO = rf"^[0-9]{{4}}(-(0[1-9]|1[0-2])(-[0-9]{{2}}({_CLOCK})?)?|-?W[0-5][0-9](-[1-7])?)?$"
MOST_STRATA = 1000

_PLACE_DRAWS, _SEARCH_DRAWS, _SAMPLE_DRAWS = 0, 1, 2  # which stream of random numbers


def split_rows(split: Split, table: Rows, *, search_share: float) -> Parts:
    """Ascending row numbers of each part.

    Args:
        split: how to divide the rows.
        table: all rows.
        search_share: part of the training rows held back for architecture decisions; at random, whole groups if
            the split is by group.

    Raises:
        DataError: the split's column is missing or has no value in some row, a value that the split names does not
            occur, or a part is empty.
    """
    match split:
        case RatioSplit():
            searching = _draws(split.seed, _SEARCH_DRAWS, table.num_rows) < search_share
            if split.stratify:
                parts, searching = _by_strata(split, table, search_share=search_share)
            else:
                parts = _by_ratio(split, table.num_rows)
        case ColumnSplit():
            parts = _by_column(split, table)
            searching = _draws(split.seed, _SEARCH_DRAWS, table.num_rows) < search_share
        case TimeSplit():
            parts = _by_time(split, table)
            searching = _draws(0, _SEARCH_DRAWS, table.num_rows) < search_share
        case GroupSplit():
            parts, search_draw = _by_group(split, table)
            searching = search_draw < search_share
    training = parts["train"]
    named = {**parts, "train": training & ~searching, "search": training & searching}
    rows = {part: np.flatnonzero(named[part]) for part in PARTS}
    check_parts(rows)
    return rows


def sample_rows(parts: Parts, *, num_rows: int, max_rows: int) -> tuple[NDArray[np.int64], Parts]:
    """A sample of rows, each keeping its part: ascending row numbers, and the parts in terms of the sample.

    Raises:
        DataError: a part is empty in the sample.
    """
    draws = _draws(0, _SAMPLE_DRAWS, num_rows)
    rows = np.sort(np.argsort(draws, kind="stable")[:max_rows])
    sampled = {}
    for part, members in parts.items():
        sampled[part] = np.searchsorted(rows, np.intersect1d(members, rows, assume_unique=True))
    check_parts(sampled)
    return rows, sampled


def check_parts(parts: Parts) -> None:
    """Refuse an empty part.

    Raises:
        DataError: some part has no rows.
    """
    for part in PARTS:
        if not parts[part].size:
            sizes = ", ".join(f"{name} {rows.size}" for name, rows in parts.items())
            raise DataError(expected="rows in every part", found=f"part {part!r} empty ({sizes})", where="data.split")


def _by_ratio(split: RatioSplit, num_rows: int) -> dict[str, Mask]:
    return _by_draw(_draws(split.seed, _PLACE_DRAWS, num_rows), valid=split.valid, test=split.test)


def _by_strata(split: RatioSplit, table: Rows, *, search_share: float) -> tuple[dict[str, Mask], Mask]:
    """The parts, and which rows are held back for architecture decisions: each a share of every stratum.

    A stratum of four rows or more has one in every part at least; of fewer, training rows come first.
    """
    columns = [codes_of(column_of(table, name, where="data.split.stratify"), name=name) for name in split.stratify]
    for name, codes in zip(split.stratify, columns, strict=True):
        if len(codes.texts) > MOST_STRATA:
            expected, found = f"at most {MOST_STRATA} different values to stratify by", str(len(codes.texts))
            raise DataError(expected=expected, found=found, where=f"data.split.stratify, column {name!r}")
    keys = np.stack([codes.indices for codes in columns], axis=1)
    _, strata = np.unique(keys, axis=0, return_inverse=True)
    draws = _draws(split.seed, _PLACE_DRAWS, table.num_rows)
    order = np.lexsort((draws, strata.ravel()))
    sizes = np.bincount(strata.ravel())
    masks = {part: np.zeros(table.num_rows, bool) for part in PARTS}
    for rows in np.split(order, np.cumsum(sizes)[:-1]):
        counts = _shares(len(rows), valid=split.valid, test=split.test, search=search_share)
        for part, members in zip(("test", "valid", "search", "train"), np.split(rows, np.cumsum(counts)), strict=True):
            masks[part][members] = True
    searching = masks.pop("search")
    masks["train"] = masks["train"] | searching
    return masks, searching


def _shares(num_rows: int, *, valid: float, test: float, search: float) -> tuple[int, int, int]:
    """Rows of ``test``, ``valid`` and ``search`` in a stratum; the others train."""
    left = num_rows - 1  # one trains
    counts = []
    for share in (test, valid, search * (1 - valid - test)):
        count = min(left, max(1, round(share * num_rows)))
        counts.append(count)
        left -= count
    return counts[0], counts[1], counts[2]


def _by_column(split: ColumnSplit, table: Rows) -> dict[str, Mask]:
    column = _split_column(table, split)
    codes = codes_of(column, name=split.column)
    known = Places(codes.texts, value_kind_of(column), Spelling())
    parts = {}
    for part, values in (("train", split.train), ("valid", split.valid), ("test", split.test)):
        for value in values:
            if not known.find(value):
                shown = ", ".join(sorted(codes.texts)[:20])
                where = f"data.split.{part}"
                raise DataError(expected=f"values of column {split.column!r} ({shown})", found=repr(value), where=where)
        parts[part] = np.isin(codes.indices, [known.find(value) - 1 for value in values])
    if split.halve_test:
        rows = np.flatnonzero(parts["test"])
        # RandomState, whose stream is frozen, as in the published protocol of Census-Income.
        first_half = np.random.RandomState(split.seed).permutation(rows.size)[: rows.size // 2]
        parts["valid"] = np.zeros(table.num_rows, bool)
        parts["valid"][rows[first_half]] = True
        parts["test"] = parts["test"] & ~parts["valid"]
    return parts


def _by_time(split: TimeSplit, table: Rows) -> dict[str, Mask]:
    column = _split_column(table, split)
    if storage_of(column) is Storage.TEXT:
        _check_sortable(column, split)
        codes = codes_of(column, name=split.column)
        ranks = np.empty(len(codes.texts) + 1)
        ranks[np.argsort(np.asarray(codes.texts, dtype=object), kind="stable")] = np.arange(len(codes.texts))
        ranks[-1] = np.nan
        moments = ranks[codes.indices]
    else:
        moments = numbers_of(column, name=split.column)
        _check_year_first(moments, split)
    _check_complete(np.isnan(moments), split)
    ordered = np.sort(moments)
    test_from = ordered[int(np.ceil(len(ordered) * (1 - split.test)))]
    valid_from = ordered[int(np.ceil(len(ordered) * (1 - split.test - split.valid)))]
    return {
        "train": moments < valid_from,
        "valid": (moments >= valid_from) & (moments < test_from),
        "test": moments >= test_from,
    }


def _check_sortable(column: Column, split: TimeSplit) -> None:
    """Refuse texts whose order is not that of the moments they name."""
    known: Any = pc.match_substring_regex(column, _ISO)
    wrong = ~pc.fill_null(known, pa.scalar(True)).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        found = f"{str(column[row])[:80]!r}, row {row + 1} (set data.source.date_format, such as %d/%m/%Y)"
        raise DataError(expected="moments as ISO 8601, or numbers", found=found, where=f"column {split.column!r}")


def _check_year_first(moments: NDArray[np.float64], split: TimeSplit) -> None:
    """Refuse days that were written day or month first without anything between, and so were read as numbers."""
    numbers = np.unique(moments[~np.isnan(moments)])
    if not numbers.size or (numbers != np.floor(numbers)).any() or numbers.min() < 1_010_000 or numbers.max() > 4e7:
        return
    first, second, year = numbers // 1_000_000, numbers // 10_000 % 100, numbers % 10_000
    days = (first >= 1) & (first <= 31) & (second >= 1) & (second <= 31) & ((first <= 12) | (second <= 12))
    if (days & (year >= 1900) & (year < 2100)).all():
        found = f"numbers such as {numbers[0]:08.0f} (set data.source.date_format, such as %d%m%Y)"
        raise DataError(expected="days with the year first", found=found, where=f"column {split.column!r}")


def _by_group(split: GroupSplit, table: Rows) -> tuple[dict[str, Mask], NDArray[np.float64]]:
    """The parts, and a further draw for each row; rows of a group share both."""
    codes = codes_of(_split_column(table, split), name=split.column)
    _check_complete(codes.indices < 0, split)
    hashes = [hashlib.blake2b(f"{split.seed}:{text}".encode(), digest_size=16).digest() for text in codes.texts]
    draws = np.frombuffer(b"".join(hashes), dtype="<u8").reshape(-1, 2) / 2.0**64
    return _by_draw(draws[codes.indices, 0], valid=split.valid, test=split.test), draws[codes.indices, 1]


def _by_draw(draws: NDArray[np.float64], *, valid: float, test: float) -> dict[str, Mask]:
    return {
        "test": draws < test,
        "valid": (draws >= test) & (draws < test + valid),
        "train": draws >= test + valid,
    }


def _draws(seed: int, stream: int, num_rows: int) -> NDArray[np.float64]:
    """One number in [0, 1) for each row; the first n are the same whatever the number of rows."""
    return np.random.default_rng([seed, stream]).random(num_rows)


def _split_column(table: Rows, split: ColumnSplit | TimeSplit | GroupSplit) -> Column:
    return column_of(table, split.column, where="data.split.column")


def _check_complete(missing: Mask, split: TimeSplit | GroupSplit) -> None:
    if missing.any():
        where = f"column {split.column!r}, row {int(missing.argmax()) + 1}"
        raise DataError(expected="a value in every row, for the split", found="a missing value", where=where)
