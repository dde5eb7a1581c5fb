"""Parquet files that are larger than memory as one table, of which a column or a block of rows is read at a time.

A column is decoded anew whenever it is asked for, and forgotten afterwards: what is held is one column, not the table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtnas.data.columns.number_texts import numbers_from_texts
from mtnas.data.columns.storage import Storage, storage_of_type
from mtnas.data.columns.value_text import Spelling
from mtnas.data.sources.parquet_files import index_names

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column

LONG_BYTES = 1 << 30
"""What a table may take in memory before its columns are read one by one."""
BLOCK_ROWS = 1 << 18
_TEXT_BYTES, _LIST_BYTES = 24, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LongFile:
    """One Parquet file of a table.

    Attributes:
        path: the file.
        num_rows: its rows.
        constants: the columns that its folders give it a value to.
    """

    path: Path
    num_rows: int
    constants: Mapping[str, str | None]


class LongTable:
    """See the module. Every file has the same columns of the same types."""

    def __init__(
        self, files: Sequence[LongFile], stored: pa.Schema, *, spelling: Spelling, skipped: Sequence[str] = ()
    ) -> None:
        self.skipped = tuple(skipped)
        self._files = files
        self._stored = stored
        self._spelling = spelling
        self.told: Callable[[str], None] = lambda name: None
        """Hears the name of a column when it is read as a whole."""

    @property
    def num_rows(self) -> int:
        """Of all files."""
        return sum(file.num_rows for file in self._files)

    @property
    def column_names(self) -> list[str]:
        """Those of the files, then those that folders give."""
        return self.schema.names

    @cached_property
    def schema(self) -> pa.Schema:
        """As ``column`` gives them."""
        plain = [pa.field(field.name, _plain_type(field.type)) for field in self._stored]
        return pa.schema([*plain, *(pa.field(name, values.type) for name, values in self._constants.items())])

    @cached_property
    def _constants(self) -> Mapping[str, Column]:
        """A value a file: as numbers where all of them are."""
        found: dict[str, Column] = {}
        for name in self._files[0].constants:
            texts = pa.chunked_array([pa.array([file.constants[name] for file in self._files], pa.string())])
            numbers = numbers_from_texts(texts, self._spelling)
            found[name] = texts if numbers is None else numbers
        return found

    @property
    def index(self) -> frozenset[str]:
        """Columns that are the index of a data frame."""
        return index_names(self._stored)

    def column(self, i: str, /) -> Column:
        """All values of one, read now."""
        self.told(i)
        if (values := self._constants.get(i)) is not None:
            chunks = [pa.repeat(value, file.num_rows) for value, file in zip(values, self._files, strict=True)]
            return pa.chunked_array(chunks, values.type)
        kind = self.schema.field(i).type
        chunks = []
        for file in self._files:
            with pq.ParquetFile(file.path) as opened:
                chunks += opened.read(columns=[i]).column(i).cast(kind).chunks
        return pa.chunked_array(chunks, kind)

    def blocks(self, names: Collection[str], *, rows: int = BLOCK_ROWS) -> Iterator[pa.Table]:
        """These columns, at most so many rows at a time."""
        stored = [name for name in self._stored.names if name in names]
        for number, file in enumerate(self._files):
            with pq.ParquetFile(file.path) as opened:
                for batch in opened.iter_batches(rows, columns=stored):
                    yield self._block(batch, number, names)

    def _block(self, batch: pa.RecordBatch, number: int, names: Collection[str]) -> pa.Table:
        """Rows of one file with what its folders say of them, typed as the whole is."""
        block = pa.Table.from_batches([batch])
        for name, values in self._constants.items():
            if name in names:
                block = block.append_column(name, pa.repeat(values[number], batch.num_rows))
        wanted = pa.schema([field for field in self.schema if field.name in names])
        return block.select(wanted.names).cast(wanted)

    def take(self, indices: NDArray[np.int64], /) -> pa.Table:
        """Rows in ascending order, in memory. Row groups without any of them are not read."""
        taken: list[pa.Table] = []
        start = 0
        for number, file in enumerate(self._files):
            with pq.ParquetFile(file.path) as opened:
                for group in range(opened.num_row_groups):
                    end = start + opened.metadata.row_group(group).num_rows
                    wanted = indices[slice(*np.searchsorted(indices, [start, end]))]
                    if wanted.size:
                        taken += self._taken(opened, number, group, wanted - start)
                    start = end
        return pa.concat_tables(taken) if taken else self.schema.empty_table()

    def _taken(self, opened: pq.ParquetFile, number: int, group: int, rows: NDArray[np.int64]) -> Iterator[pa.Table]:
        """Rows of one row group, counted within it."""
        start = 0
        for batch in opened.iter_batches(BLOCK_ROWS, row_groups=[group], columns=self._stored.names):
            first, last = np.searchsorted(rows, [start, start + batch.num_rows])
            if last > first:
                yield self._block(batch, number, self.column_names).take(rows[first:last] - start)
            start += batch.num_rows


def long_table(
    files: Sequence[tuple[Path, Mapping[str, str | None]]], *, skip: Collection[str], spelling: Spelling
) -> LongTable | None:
    """The files as a long table, if together they are long, and one table without a second look at their values.

    Args:
        files: paths of Parquet files, and the columns that their folders give.
        skip: columns that are not looked at.
        spelling: how texts write values.
    """
    found, stored, skipped = [], None, dict[str, None]()
    for path, constants in files:
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
        kept = pa.schema(
            [field for field in schema if field.name not in skip], metadata=dict[Any, Any](schema.metadata or {})
        )
        stored = kept if stored is None else stored
        if kept != stored or set(constants) & set(schema.names):
            return None
        skipped |= dict.fromkeys(name for name in schema.names if name in skip)
        found.append(LongFile(path=path, num_rows=metadata.num_rows, constants=constants))
    if stored is None or len(set(stored.names)) < len(stored.names) or any(map(_needs_all_values, stored.types)):
        return None
    if len({frozenset(file.constants) for file in found}) > 1:
        return None
    num_rows = sum(file.num_rows for file in found)
    width = sum(_bytes_of(kind) for kind in stored.types)
    if num_rows * width <= LONG_BYTES:
        return None
    return LongTable(found, stored, spelling=spelling, skipped=tuple(skipped))


def _needs_all_values(kind: Any) -> bool:
    """Whether what a column becomes depends on its values (decimals that may be whole), or it is not read here."""
    return (pa.types.is_decimal(kind) and kind.scale <= 0) or storage_of_type(kind) is Storage.IMAGE


def _plain_type(kind: Any) -> Any:
    return pa.string() if pa.types.is_string_view(kind) else kind


def _bytes_of(kind: Any) -> int:
    storage = storage_of_type(kind)
    if storage in (Storage.NUMBER_LIST, Storage.TEXT_LIST):
        return _LIST_BYTES
    return _TEXT_BYTES if storage is Storage.TEXT else 8
