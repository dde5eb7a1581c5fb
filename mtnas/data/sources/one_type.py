"""One column, one type: over all files of a source and on both sides of a join.

A file alone may show another type than all together: zip codes that are numbers in one file, and with a letter in
the next. Such columns are read again as the texts that stand in the files, and judged as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mtnas.data.columns.column import as_float64, decoded
from mtnas.data.columns.number_texts import moments_from_texts, numbers_from_texts
from mtnas.data.columns.storage import SEVERAL_VALUES, Storage, storage_of
from mtnas.data.columns.value_text import EXACT, Spelling, number_text, parse_number
from mtnas.data.sources.table_files import TableFile
from mtnas.errors import DataError

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A column of one file that must be of one type with those of others."""

    file: int
    name: str


def agree(
    files: Sequence[TableFile],
    groups: Mapping[str, Sequence[Member]],
    *,
    spelling: Spelling,
    texts: Collection[str] = (),
) -> tuple[pa.Table, ...]:
    """The files' tables, the columns of every group of one type.

    Args:
        files: as they were read.
        groups: by the name that a column has in the end, the columns that it is made of.
        spelling: how texts write values.
        texts: groups that stay texts.

    Raises:
        DataError: one holds lists and the other single values.
    """
    tables = [file.table for file in files]
    wanted: dict[int, set[str]] = {}
    for group, members in groups.items():
        if _need_texts(members, group=group, files=files):
            for member in members:
                wanted.setdefault(member.file, set()).add(member.name)
    reread = {number: files[number].texts(names) for number, names in wanted.items()}
    for group, members in groups.items():
        columns = [
            reread[member.file][member.name]
            if member.name in reread.get(member.file, ())
            else tables[member.file].column(member.name)
            for member in members
        ]
        typed = any(
            files[member.file].options is None
            and storage_of(tables[member.file].column(member.name)) in (Storage.INTEGER, Storage.NUMBER)
            for member in members
        )
        untyped = any(files[member.file].is_untyped(member.name) for member in members) and group not in texts
        changed = _one_type(columns, spelling=spelling, untyped=untyped, typed_numbers=typed)
        for member, column in zip(members, changed, strict=True):
            position = tables[member.file].column_names.index(member.name)
            if column is not tables[member.file].column(position):
                tables[member.file] = tables[member.file].set_column(position, member.name, column)
    return tuple(tables)


def _need_texts(members: Sequence[Member], *, group: str, files: Sequence[TableFile]) -> bool:
    """Whether the columns, as they were read, do not go together, or have lost digits."""
    columns = [files[member.file].table.column(member.name) for member in members]
    untyped = any(files[member.file].is_untyped(member.name) for member in members)
    storages = {storage_of(column) for column in columns} - {Storage.EMPTY}
    if len(storages) > 1 and storages & set(SEVERAL_VALUES):
        found = ", ".join(sorted({str(column.type) for column in columns}))
        where = f"column {group!r} of {', '.join(file.place for file in files)}"
        raise DataError(expected="one type in all tables", found=found, where=where)
    if storages <= {Storage.INTEGER, Storage.NUMBER}:
        return untyped and any(_may_have_lost_digits(column, mixed=len(storages) > 1) for column in columns)
    if storages == {Storage.TIME}:
        return len({pa.types.is_time(column.type) for column in columns}) > 1
    return len(storages) > 1


def _may_have_lost_digits(column: Column, *, mixed: bool) -> bool:
    """Whether float64 holds whole numbers that it cannot hold exactly, or is about to."""
    storage = storage_of(column)
    if storage is Storage.INTEGER and not mixed:
        return False
    if storage is Storage.EMPTY or not len(column) or not (pa.types.is_float64(column.type) or mixed):
        return False
    bounds: Any = pc.min_max(as_float64(column)).as_py()
    return any(value is not None and EXACT <= abs(value) < 1e30 for value in bounds.values())


def _one_type(columns: Sequence[Column], *, spelling: Spelling, untyped: bool, typed_numbers: bool) -> Sequence[Column]:
    """The columns of one type.

    Args:
        columns: of one group.
        spelling: how texts write values.
        untyped: some come from CSV files, where any text may be a number.
        typed_numbers: some are numbers in a Parquet file.
    """
    storages = {storage_of(column) for column in columns} - {Storage.EMPTY}
    if storages == {Storage.INTEGER, Storage.NUMBER}:
        return [as_float64(column) for column in columns]
    if storages == {Storage.INTEGER} and len({column.type for column in columns}) > 1:
        return _cast_together(columns)
    if storages == {Storage.TIME} and len({column.type for column in columns}) > 1:
        kind = pa.time64("us") if pa.types.is_time(columns[0].type) else pa.timestamp("us")
        return [column.cast(kind, safe=False) for column in columns]
    if storages != {Storage.TEXT} or any(pa.types.is_dictionary(column.type) for column in columns):
        return columns
    whole = pa.chunked_array([chunk for column in columns for chunk in column.cast(pa.string()).chunks], pa.string())
    numbers = moments_from_texts(whole, spelling.date_format) if spelling.date_format else None
    if numbers is None and untyped:
        numbers = numbers_from_texts(whole, spelling)
    if numbers is None:
        return [_spelled(column, spelling) for column in columns] if typed_numbers else columns
    ends = np.cumsum([len(column) for column in columns]).tolist()
    return [numbers.slice(end - len(column), len(column)) for column, end in zip(columns, ends, strict=True)]


def _cast_together(columns: Sequence[Column]) -> Sequence[Column]:
    for kind in (pa.int64(), pa.uint64(), pa.string()):
        try:
            return [column.cast(kind) for column in columns]
        except pa.ArrowInvalid:
            continue
    return columns


def _spelled(column: Column, spelling: Spelling) -> Column:
    """Texts beside a column that holds numbers: a text that spells a number can only mean that number."""
    encoded: Any = pc.dictionary_encode(decoded(column)).unify_dictionaries().combine_chunks()
    texts: list[str | None] = []
    for text in encoded.dictionary.to_pylist():
        number = parse_number(text, spelling)
        texts.append(text if number is None or number != number else number_text(number))
    return pa.chunked_array([pa.array(texts, pa.string()).take(encoded.indices)])
