"""Parquet files to tables: columns that are asked for, the index of a data frame, decimals."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column


def read_parquet(data: bytes | Path, *, skip: Collection[str]) -> tuple[pa.Table, frozenset[str], tuple[str, ...]]:
    """The table, which of its columns are a data frame's index, and the names that were not read.

    Raises:
        pa.ArrowInvalid, OSError: it cannot be read.
    """
    file = pq.ParquetFile(data if isinstance(data, Path) else pa.BufferReader(data))
    names = file.schema_arrow.names
    skipped = tuple(name for name in names if name in skip)
    kept = [name for name in names if name not in skip]
    table = file.read(columns=kept) if skipped else file.read()
    index = index_names(file.schema_arrow)
    for position, name in enumerate(table.column_names):
        column = table.column(position)
        if pa.types.is_decimal(column.type):
            table = table.set_column(position, name, _plain_decimals(column))
        elif pa.types.is_string_view(column.type):
            table = table.set_column(position, name, column.cast(pa.string()))
    return table, index, skipped


def is_parquet(path: Path) -> bool:
    """Whether it begins as a Parquet file does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False


def index_names(schema: pa.Schema) -> frozenset[str]:
    """Columns that are the index of a data frame, as pandas notes it."""
    described: Any = schema.pandas_metadata or {}
    found = described.get("index_columns", ())
    return frozenset(name for name in found if isinstance(name, str) and name in schema.names)


def _plain_decimals(column: Column) -> Column:
    """Decimals without a fraction as whole numbers (as their digits beyond 64 bits); others as they are."""
    if column.type.scale > 0:
        return column
    for kind in (pa.int64(), pa.uint64()):
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    return pc.cast(column, pa.string())
