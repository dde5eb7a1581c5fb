"""What a file is, by its first bytes: a table that can be read, or something else that the message names."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path
from typing import Literal

from mtnas.errors import DataError

_LOOKED_AT = 4096
_EXPECTED = "a CSV or Parquet file, plain or compressed with gzip"
_OTHERS = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or another Office file (save the sheet as CSV)"),
    (b"BZh", "a file compressed with bzip2 (decompress it, or use gzip)"),
    (b"\xfd7zXZ", "a file compressed with xz (decompress it, or use gzip)"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd (decompress it, or use gzip)"),
    (b"7z\xbc\xaf", "a 7z archive (unpack it)"),
    (b"Rar!", "a rar archive (unpack it)"),
    (b"ARROW1", "an Arrow or Feather file (write it as Parquet)"),
    (b"ORC", "an ORC file (write it as Parquet)"),
    (b"Obj\x01", "an Avro file (write it as Parquet)"),
    (b"\x89HDF", "an HDF5 file (write it as Parquet)"),
    (b"SQLite format 3", "an SQLite database (write the table as CSV or Parquet)"),
    (b"\x80\x04", "a pickle, which is never read (write it as Parquet)"),
    (b"\x80\x05", "a pickle, which is never read (write it as Parquet)"),
    (b"%PDF", "a PDF document"),
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def format_of(path: Path, *, encoding: str, place: str) -> Literal["csv", "gzip", "parquet"]:
    """How to read the file.

    Raises:
        DataError: it is neither CSV nor Parquet; ``found`` says what it is and what to do.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    return content_format(start, encoding=encoding, place=place, path=path)


def content_format(start: bytes, *, encoding: str, place: str, path: Path | None = None) -> Literal["csv", "parquet"]:
    """As ``format_of``, of the first bytes of what may have been compressed."""
    if start.startswith(b"PAR1"):
        return "parquet"
    found = _archive(path) if start.startswith(b"PK\x03\x04") else None
    found = found or next((name for magic, name in _OTHERS if start.startswith(magic)), None)
    if start[257:262] == b"ustar":
        found = "a tar archive (unpack it)"
    text = start.lstrip()
    if text[:9].lower() == b"<!doctype" or text[:5].lower() in (b"<html", b"<?xml"):
        found = "a web page or XML document"
    elif text[:2] in (b'{"', b"[{"):
        found = "JSON (write it as CSV or Parquet)"
    if found is not None:
        raise DataError(expected=_EXPECTED, found=found, where=place)
    if codecs.lookup(encoding).name == "utf-8":
        _check_unicode(start, place=place)
    return "csv"


def _check_unicode(start: bytes, *, place: str) -> None:
    """Refuse texts in UTF-16 or UTF-32, and bytes that are no text."""
    known = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if known is None and b"\0" in start:
        for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
            if zeros.count(0) > 0.4 * len(zeros):
                known = name
        if known is None:
            raise DataError(expected=_EXPECTED, found="bytes that are no text", where=place)
    if known is not None:
        found = f"text in {known.upper()[:6]} (set data.source.encoding to {known!r})"
        raise DataError(expected="text in UTF-8", found=found, where=place)


def _archive(path: Path | None) -> str:
    """What a zip archive is."""
    names: list[str] = []
    if path is not None:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError):
            pass
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook (.xlsx; save the sheet as CSV)"
    holding = f" that holds {', '.join(names[:3])}" if names else ""
    return f"a zip archive{holding} (unpack it, or compress the file with gzip)"
