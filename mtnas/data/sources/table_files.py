"""Files to tables: CSV and Parquet, plain or compressed, one or several of one schema."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from mtnas.data.data_spec import MISSING_TEXTS
from mtnas.errors import DataAccessError, DataError

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_BLOCK_BYTES = 1 << 23  # pyarrow's default of 1 MiB costs a quarter more on 100 MB files


def read_table(
    path: Path,
    *,
    where: str,
    delimiter: str = ",",
    column_names: Sequence[str] | None = None,
    missing: Sequence[str] = MISSING_TEXTS,
) -> pa.Table:
    """One file as a table. The content decides whether it is Parquet, and whether it is compressed.

    Args:
        path: a file that the caller may read.
        where: the place to name in errors.
        delimiter: between the values of a CSV file.
        column_names: of a CSV file without a header.
        missing: the texts of a CSV file that mean a missing value, in columns of any type.

    Raises:
        DataAccessError: the file cannot be read.
        DataError: it cannot be parsed, has no rows, or has two columns of one name.
    """
    place = f"{where} ({path.name})"
    try:
        with path.open("rb") as file:
            start = file.read(4)
        data: Any = path
        if start.startswith(_GZIP):
            data = pa.BufferReader(gzip.decompress(path.read_bytes()))
            start = bytes(data.read(4))
            data.seek(0)
        if start == _PARQUET:
            table = pq.read_table(data)
        else:
            table = _read_csv(data, delimiter=delimiter, column_names=column_names, missing=missing, place=place)
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise DataAccessError(expected="a readable file", found=type(error).__name__, where=place) from error
    except (pa.ArrowInvalid, OSError, EOFError, zlib.error) as error:
        raise DataError(expected="a CSV or Parquet file", found=_first_line(error), where=place) from error
    check_table(table, place=place)
    return table


def concat_tables(tables: Sequence[pa.Table], *, places: Sequence[str]) -> pa.Table:
    """The rows of all tables, in order. Columns may differ in order and in the width of their numbers.

    Raises:
        DataError: the tables have different columns, or one column holds numbers here and lists there.
    """
    first = tables[0]
    for table, place in zip(tables, places, strict=True):
        if set(table.column_names) != set(first.column_names):
            missing = sorted(set(first.column_names) - set(table.column_names))
            more = sorted(set(table.column_names) - set(first.column_names))
            raise DataError(
                expected=f"the same columns as in {places[0]}",
                found=f"columns missing: {missing}, in addition: {more}",
                where=place,
            )
    aligned = [table.select(first.column_names) for table in tables]
    try:
        return pa.concat_tables(aligned, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.concat_tables([_as_texts(table, aligned, places=places) for table in aligned])


def check_table(table: pa.Table, *, place: str) -> None:
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


def _read_csv(
    data: Any, *, delimiter: str, column_names: Sequence[str] | None, missing: Sequence[str], place: str
) -> pa.Table:
    parse = pc_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = pc_csv.ConvertOptions(null_values=list(missing), strings_can_be_null=True)
    names = list(column_names) if column_names else None

    def read(*, in_parallel: bool) -> pa.Table:
        options = pc_csv.ReadOptions(block_size=_BLOCK_BYTES, column_names=names, use_threads=in_parallel)
        return pc_csv.read_csv(data, read_options=options, parse_options=parse, convert_options=convert)

    try:
        return read(in_parallel=True)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            raise DataError(expected="at least one row", found="an empty file", where=place) from error
        if "Expected" not in str(error):
            raise
    if not isinstance(data, Path):
        data.seek(0)
    return read(in_parallel=False)  # fails again, now with the number of the line in its message


def _as_texts(table: pa.Table, tables: Sequence[pa.Table], *, places: Sequence[str]) -> pa.Table:
    """The table with those columns as texts whose types do not agree among the tables."""
    for index, name in enumerate(table.column_names):
        kinds = {other.schema.field(name).type for other in tables}
        if len(kinds) == 1:
            continue
        try:
            table = table.set_column(index, name, table.column(name).cast(pa.string()))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise DataError(
                expected="one type in all tables",
                found=", ".join(sorted(map(str, kinds))),
                where=f"column {name!r} of {', '.join(places)}",
            ) from error
    return table


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
