"""Files to tables: CSV and Parquet, plain or compressed, one or several of one schema."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from mtnas.data.columns.column import texts_of_values
from mtnas.data.columns.rows import Rows
from mtnas.data.sources.csv_files import CsvOptions, csv_header, read_csv
from mtnas.data.sources.file_format import content_format, format_of
from mtnas.data.sources.parquet_files import read_parquet
from mtnas.errors import DataAccessError, DataError

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableFile:
    """A file that was read as a table.

    Attributes:
        path: the file.
        place: its place in the request and its name, for errors.
        options: how a CSV file is written; ``None`` for Parquet.
        table: its rows.
        index: columns that are the index of a data frame.
        skipped: columns that were not looked at.
        constants: columns that folders gave it, as texts.
    """

    path: Path
    place: str
    options: CsvOptions | None
    table: pa.Table
    index: frozenset[str] = frozenset()
    skipped: tuple[str, ...] = ()
    constants: frozenset[str] = frozenset()

    def is_untyped(self, name: str) -> bool:
        """Whether the column was written as texts, so that any text may be a number."""
        return self.options is not None or name in self.constants

    def texts(self, names: Collection[str]) -> Mapping[str, Column]:
        """These columns as texts: as they stand in a CSV file, as ``value_text`` has them for a typed one."""
        typed = {name: self.table.column(name) for name in names if self.options is None or name in self.constants}
        found = {name: _as_texts(column) for name, column in typed.items()}
        if self.options is not None and len(found) < len(names):
            wanted = set(names) - set(found)
            table = read_csv(_content(self.path), self.options, place=self.place, only=wanted, texts=wanted)
            found |= {name: table.column(name) for name in wanted}
        return found


def read_file(
    path: Path,
    *,
    where: str,
    options: CsvOptions | None = None,
    skip: Collection[str] = (),
    texts: Collection[str] = (),
    constants: Mapping[str, str | None] | None = None,
) -> TableFile:
    """One file as a table. The content decides whether it is Parquet, and whether it is compressed.

    Args:
        path: a file that the caller may read.
        where: the place to name in errors.
        options: how it is written if it is CSV.
        skip: columns that are not looked at.
        texts: columns to read as texts whatever a CSV file holds.
        constants: further columns, of one value in all rows.

    Raises:
        DataAccessError: the file cannot be read.
        DataError: it is something else, cannot be parsed, has no rows, or has two columns of one name.
    """
    place = f"{where} ({path.name})"
    options = options or CsvOptions()
    index: frozenset[str] = frozenset()
    try:
        kind = format_of(path, encoding=options.encoding, place=place)
        data = _content(path)
        if isinstance(data, bytes):
            kind = content_format(data[:4096], encoding=options.encoding, place=place)
        if kind == "parquet":
            table, index, skipped = read_parquet(data, skip=skip)
        else:
            table = read_csv(data, options, place=place, skip=skip, texts=texts)
            skipped = tuple(name for name in csv_header(data, options, place=place) if name in skip)
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise DataAccessError(expected="a readable file", found=type(error).__name__, where=place) from error
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise DataError(expected="a CSV or Parquet file", found=_first_line(error), where=place) from error
    for name, value in (constants or {}).items():
        if name in table.column_names:
            raise DataError(expected="folders named after no column of the files", found=repr(name), where=place)
        table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), table.num_rows))
    check_table(table, place=place)
    return TableFile(
        path=path,
        place=place,
        options=options if kind != "parquet" else None,
        table=table,
        index=index,
        skipped=skipped,
        constants=frozenset(constants or ()),
    )


def check_same_columns(files: Sequence[TableFile]) -> None:
    """Refuse files that are not one table.

    Raises:
        DataError: they have different columns.
    """
    first = files[0]
    for file in files[1:]:
        if set(file.table.column_names) != set(first.table.column_names):
            missing = sorted(set(first.table.column_names) - set(file.table.column_names))
            more = sorted(set(file.table.column_names) - set(first.table.column_names))
            raise DataError(
                expected=f"the same columns as in {first.place}",
                found=f"columns missing: {missing}, in addition: {more}",
                where=file.place,
            )


def check_table(table: Rows, *, place: str) -> None:
    """Refuse a table that no job can use.

    Raises:
        DataError: no rows, no columns, or two columns of one name.
    """
    names = table.column_names
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(expected="different names for all columns", found=f"{doubled} more than once", where=place)
    if table.num_rows == 0 or not names:
        raise DataError(expected="at least one row", found="0 rows", where=place)


def _content(path: Path) -> bytes | Path:
    """The bytes of a compressed file, the path of another."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.decompress(path.read_bytes()) if compressed else path


def _as_texts(column: Column) -> Column:
    return pa.chunked_array([pa.array(texts_of_values(column.combine_chunks()), pa.string())])


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
