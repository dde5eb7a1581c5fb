"""CSV files to tables: encodings, headers, types that pyarrow finds, and texts as they stand in the file."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv

from mtnas.data.columns.value_text import MISSING_TEXTS, Spelling
from mtnas.errors import DataError

_BLOCK_BYTES = 1 << 23  # pyarrow's default of 1 MiB costs a quarter more on 100 MB files
_HEADER_BYTES = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How CSV files are written; the fields of ``FileSource``. ``None``: the usual, or what the texts show."""

    delimiter: str = ","
    column_names: tuple[str, ...] | None = None
    null_values: tuple[str, ...] = MISSING_TEXTS
    encoding: str = "utf-8"
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The texts that mean a missing value; the empty one always does."""
        return tuple(dict.fromkeys(("", *self.null_values)))

    @property
    def spelling(self) -> Spelling:
        """How values are written."""
        return Spelling(self.decimal or ".", self.thousands or "", self.date_format, frozenset(self.missing))


def read_csv(
    data: bytes | Path,
    options: CsvOptions,
    *,
    place: str,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    texts: Collection[str] = (),
) -> pa.Table:
    """The file as a table.

    Args:
        data: its path, or its bytes.
        options: how it is written.
        place: to name in errors.
        only: the columns to read; ``None`` reads all.
        skip: columns that are not looked at.
        texts: columns to read as texts whatever they hold.

    Raises:
        DataError: it cannot be parsed or is written in another encoding.
        pa.ArrowInvalid: it cannot be parsed.
    """
    names = csv_header(data, options, place=place)
    _check_delimiter(names, options, place=place)
    kept = [name for name in names if name not in skip and (only is None or name in only)]
    parse = pc_csv.ParseOptions(delimiter=options.delimiter, newlines_in_values=True)
    convert = pc_csv.ConvertOptions(
        null_values=list(options.missing),
        strings_can_be_null=True,
        include_columns=kept if len(kept) < len(names) else [],
        column_types={name: pa.string() for name in texts if name in kept},
        decimal_point=options.decimal or ".",
    )

    def read(*, in_parallel: bool) -> pa.Table:
        read_options = pc_csv.ReadOptions(
            block_size=_BLOCK_BYTES,
            column_names=list(options.column_names) if options.column_names else None,
            use_threads=in_parallel,
            encoding=options.encoding,
        )
        source: Any = data if isinstance(data, Path) else pa.BufferReader(data)
        return pc_csv.read_csv(source, read_options=read_options, parse_options=parse, convert_options=convert)

    try:
        table = read(in_parallel=True)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            raise DataError(expected="at least one row", found="an empty file", where=place) from error
        if "invalid UTF8" in str(error):
            raise _other_encoding(data, options, place=place) from error
        if "Expected" not in str(error):
            raise
        table = read(in_parallel=False)  # fails again, now with the number of the line in its message
    except UnicodeError as error:
        raise _wrong_encoding(options, error, place=place) from error
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise _other_encoding(data, options, place=place)
    return table


def csv_header(data: bytes | Path, options: CsvOptions, *, place: str) -> Sequence[str]:
    """The names of the columns, as they stand in the first line that is not empty.

    Raises:
        DataError: it is not written in this encoding.
    """
    if options.column_names:
        return options.column_names
    if isinstance(data, Path):
        with data.open("rb") as file:
            start = file.read(_HEADER_BYTES)
    else:
        start = data[:_HEADER_BYTES]
    first = start.split(b"\n", 1)[0] if codecs.lookup(options.encoding).name == "utf-8" else start
    try:
        codecs.getincrementaldecoder(options.encoding)().decode(first, final=len(first) < len(start))
        text = codecs.getincrementaldecoder(options.encoding)(errors="replace").decode(start)
    except UnicodeError as error:
        if codecs.lookup(options.encoding).name == "utf-8":
            raise _other_encoding(data, options, place=place) from error
        raise _wrong_encoding(options, error, place=place) from error
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=options.delimiter)
    try:
        return next((row for row in rows if row), ())
    except csv.Error as error:
        raise DataError(expected="a header", found=str(error), where=place) from error


def _check_delimiter(names: Sequence[str], options: CsvOptions, *, place: str) -> None:
    """Refuse a header that another delimiter plainly divides."""
    if len(names) == 1 and options.column_names is None:
        other = max(_DELIMITERS, key=names[0].count)
        if names[0].count(other):
            found = f"one name, {names[0][:80]!r} (set data.source.delimiter to {other!r})"
            raise DataError(expected=f"names divided by {options.delimiter!r}", found=found, where=place)


def _other_encoding(data: bytes | Path, options: CsvOptions, *, place: str) -> DataError:
    """Bytes that are no UTF-8, where the first of them are, and what they may be."""
    content = data.read_bytes() if isinstance(data, Path) else data
    line, found = 1, "other bytes"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        high = bytes(byte for byte in content if byte >= 0x80)
        likely = "cp1252" if any(0x80 <= byte < 0xA0 for byte in high) else "latin-1"
        before = content[max(error.start - 15, 0) : error.start].split(b"\n")[-1]
        after = content[error.start : error.start + 15].split(b"\n")[0]
        shown = (before + after).decode(likely, errors="replace").strip()
        found = f"other bytes in line {line} (in {likely} they read {shown!r}; set data.source.encoding)"
    return DataError(expected="text in UTF-8", found=found, where=place)


def _wrong_encoding(options: CsvOptions, error: UnicodeError, *, place: str) -> DataError:
    return DataError(expected=f"text in {options.encoding} (data.source.encoding)", found=str(error)[:200], where=place)
