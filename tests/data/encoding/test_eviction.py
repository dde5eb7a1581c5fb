"""The cache of encoded data: what was read longest ago goes first, and nothing that is in use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtnas.data import DataAccess, load
from mtnas.data.data_spec import DataSpec
from mtnas.data.encoding.cache import DESCRIPTION, encoded_folder, read_encoded
from mtnas.data.encoding.eviction import evict_encoded
from mtnas.tasks import Task, TaskKind

NOW, HOUR = 2_000_000_000.0, 3600.0


@pytest.fixture
def digests(tmp_path: Path) -> list[str]:
    """Three sets of encoded data, read three, two and one hours ago."""
    found = []
    for age, rows in zip((3, 2, 1), (300, 301, 302), strict=True):
        source = {"kind": "catalogue", "name": "planted", "options": {"rows": rows, "num_tasks": 2, "dims": 4}}
        task = Task(name="a", kind=TaskKind.REGRESSION, label="task_0", tower=())
        data = load(DataSpec.model_validate({"source": source}), (task,), access=DataAccess(cache=tmp_path))
        os.utime(encoded_folder(tmp_path, data.digest) / DESCRIPTION, (NOW - age * HOUR,) * 2)
        found.append(data.digest)
    return found


def size_of(cache: Path, digest: str) -> int:
    return sum(path.stat().st_size for path in encoded_folder(cache, digest).iterdir())


def evicted(cache: Path, most_bytes: int, unused_s: float = 0.0) -> tuple[str, ...]:
    return evict_encoded(cache, most_bytes=most_bytes, unused_s=unused_s, now_s=NOW)


def test_what_fits_stays(tmp_path: Path, digests: list[str]) -> None:
    assert evicted(tmp_path, sum(size_of(tmp_path, digest) for digest in digests)) == ()


def test_what_was_read_longest_ago_goes_until_the_rest_fits(tmp_path: Path, digests: list[str]) -> None:
    assert evicted(tmp_path, size_of(tmp_path, digests[2])) == tuple(digests[:2])
    assert [read_encoded(digest, cache=tmp_path) is None for digest in digests] == [True, True, False]
    assert sorted(path.name for path in encoded_folder(tmp_path, "x").parent.iterdir()) == [digests[2]]


def test_reading_makes_data_young(tmp_path: Path, digests: list[str]) -> None:
    read_encoded(digests[0], cache=tmp_path)
    os.utime(encoded_folder(tmp_path, digests[0]) / DESCRIPTION, (NOW, NOW))
    assert evicted(tmp_path, size_of(tmp_path, digests[0])) == tuple(digests[1:])


def test_reading_is_noted(tmp_path: Path, digests: list[str]) -> None:
    path = encoded_folder(tmp_path, digests[0]) / DESCRIPTION
    before = path.stat().st_mtime
    read_encoded(digests[0], cache=tmp_path)
    assert path.stat().st_mtime != before


def test_data_that_was_read_lately_stays_however_full_it_is(tmp_path: Path, digests: list[str]) -> None:
    assert evicted(tmp_path, 0, unused_s=2.5 * HOUR) == (digests[0],)
    assert evicted(tmp_path, 0, unused_s=2.5 * HOUR) == ()


def test_data_that_is_mapped_outlives_its_file(tmp_path: Path, digests: list[str]) -> None:
    held = read_encoded(digests[0], cache=tmp_path)
    assert held is not None
    before = held.numeric.copy()
    os.utime(encoded_folder(tmp_path, digests[0]) / DESCRIPTION, (0, 0))
    assert digests[0] in evicted(tmp_path, 0)
    assert (held.numeric == before).all()


def test_an_empty_cache_is_no_error(tmp_path: Path) -> None:
    assert evicted(tmp_path / "nowhere", 0) == ()
