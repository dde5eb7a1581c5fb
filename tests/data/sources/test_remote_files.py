"""Tables in object stores: read where an address is allowed, and nowhere else. The store is fsspec's in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtnas.data import DataAccess, profile
from mtnas.data.data_spec import FileSource
from mtnas.data.sources.remote_files import check_allowed, evict_copies
from mtnas.errors import DataAccessError

ROWS = {"x": [0.5, 1.5, 2.5], "y": [0, 1, 0]}


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    """A bucket with two days of rows, and a file outside of what is allowed."""
    memory = fsspec.filesystem("memory")
    for number, day in enumerate(("2024-01-01", "2024-01-02")):
        with memory.open(f"/bucket/log/day={day}/part-{number}.parquet", "wb") as file:
            pq.write_table(pa.table(ROWS), file)
    with memory.open("/bucket/log/README.txt", "wb") as file:
        file.write(b"no table")
    with memory.open("/secret/rows.csv", "wb") as file:
        file.write(b"x,y\n1,0\n2,1\n")
    yield memory
    memory.store.clear()


def access(folder: Path, *urls: str) -> DataAccess:
    return DataAccess(urls=urls or ("memory://bucket",), cache=folder)


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("memory://bucket/log", 6),
        ("memory://bucket/log/day=*/*.parquet", 6),
        ("memory://bucket/log/day=2024-01-02/part-1.parquet", 3),
    ],
)
def test_a_folder_a_pattern_and_a_file_are_read(
    store: fsspec.AbstractFileSystem, tmp_path: Path, path: str, rows: int
) -> None:
    found = profile(FileSource(paths=(path,)), access=access(tmp_path))
    assert found.num_rows == rows
    assert ("day" in {column.name for column in found.columns}) == (rows == 6)


@pytest.mark.parametrize(
    "path",
    [
        "memory://secret/rows.csv",
        "memory://bucket/../secret/rows.csv",
        "memory://bucket/%2e%2e/secret/rows.csv",
        "memory://bucketeer/rows.csv",
        "memory://user:key@bucket/rows.csv",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "simplecache::memory://bucket/log",
        "://bucket/log",
        "memory://bucket\\..\\secret/rows.csv",
    ],
)
def test_what_is_not_allowed_is_refused_before_anybody_looks(
    store: fsspec.AbstractFileSystem, tmp_path: Path, path: str
) -> None:
    with pytest.raises(DataAccessError, match="below the data addresses") as caught:
        profile(FileSource(paths=(path,)), access=access(tmp_path))
    assert "bucket/log" not in caught.value.expected
    assert not (tmp_path / "remote").exists()


def test_without_prefixes_nothing_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(DataAccessError):
        check_allowed("memory://bucket/log", access=DataAccess(cache=tmp_path), where="here")


def test_what_is_not_there_is_told_without_the_stores_words(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    with pytest.raises(DataAccessError, match="files there"):
        profile(FileSource(paths=("memory://bucket/nothing",)), access=access(tmp_path))
    with pytest.raises(DataAccessError, match="ValueError"):
        profile(FileSource(paths=("nosuchstore://bucket/x.csv",)), access=access(tmp_path, "nosuchstore://bucket"))


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(
    store: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    source = FileSource(paths=("memory://bucket/log",))
    first = profile(source, access=access(tmp_path))
    copies = sorted((tmp_path / "remote").rglob("*.parquet"))
    assert profile(source, access=access(tmp_path)) == first
    assert sorted((tmp_path / "remote").rglob("*.parquet")) == copies
    with store.open("/bucket/log/day=2024-01-01/part-0.parquet", "wb") as file:
        pq.write_table(pa.table({"x": [9.0], "y": [1]}), file)
    assert profile(source, access=access(tmp_path)).num_rows == 4


def test_copies_that_nobody_asks_for_are_evicted(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    profile(FileSource(paths=("memory://bucket/log",)), access=access(tmp_path))
    old, new = sorted((tmp_path / "remote").iterdir())
    os.utime(old, (0, 0))
    assert evict_copies(tmp_path, unused_s=60) == (old.name,)
    assert [path.name for path in (tmp_path / "remote").iterdir()] == [new.name]
