"""A table that is read a column or a block at a time gives what it gives in memory, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtnas.data import DataAccess, EncodedData, load, profile
from mtnas.data.data_spec import DataSpec, FileSource
from mtnas.data.sources import long_table
from mtnas.data.sources.file_tables import Wanted
from mtnas.data.sources.long_table import LongTable
from mtnas.data.sources.sources import open_source
from mtnas.tasks import Task, TaskKind

TASKS = (
    Task(name="y", kind=TaskKind.BINARY, label="y"),
    Task(name="z", kind=TaskKind.REGRESSION, label="z"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of rows of many types, in folders that give two columns."""
    place, rng = tmp_path_factory.mktemp("long"), np.random.default_rng(0)
    for day in range(3):
        num = 150 + day
        table = pa.table(
            {
                "number": pa.array([None if n % 7 == 0 else value for n, value in enumerate(rng.normal(size=num))]),
                "count": rng.integers(0, 4, num),
                "word": pa.array(rng.choice(["a", "b", None, "c d"], num).tolist(), pa.string_view()),
                "code": pa.array(rng.choice(["x", "y"], num)).dictionary_encode(),
                "flag": rng.random(num) < 0.5,
                "when": pa.array(range(num), pa.timestamp("s", tz="UTC")),
                "bag": [["p", "q", "r"][: n % 4] for n in range(num)],
                "vector": rng.normal(size=(num, 3)).round(3).tolist(),
                "money": pa.array([f"{value:.2f}" for value in rng.normal(size=num)]).cast(pa.decimal128(9, 2)),
                "raw": [b"\xff"] * num,
                "y": rng.integers(0, 2, num),
                "z": 1000 + 300 * rng.normal(size=num),
            }
        )
        parts = place / "t" / f"day=2024-01-0{day + 1}" / f"shop={day}"
        parts.mkdir(parents=True)
        pq.write_table(table, parts / "part.parquet", row_group_size=64)
    return place


SPECS: Sequence[dict[str, Any]] = (
    {},
    {"max_rows": 200},
    {"exclude": ("raw", "shop")},
    {"split": {"kind": "time", "column": "when"}},
    {"split": {"kind": "ratio", "stratify": ["y"]}, "weight_column": "count"},
)


def _loaded(folder: Path, cache: Path, spec: dict[str, Any]) -> EncodedData:
    request = DataSpec.model_validate({"source": {"kind": "file", "paths": ["t"]}} | spec)
    return load(request, TASKS, access=DataAccess(roots=(folder,), cache=cache))


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_encoded_rows_are_the_same(
    folder: Path, tmp_path: Path, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _loaded(folder, tmp_path / "a", spec)
    monkeypatch.setattr(long_table, "LONG_BYTES", 0)
    monkeypatch.setattr(LongTable.blocks, "__kwdefaults__", {"rows": 50})
    long = _loaded(folder, tmp_path / "b", spec)
    assert (long.digest, long.schema, long.columns, long.warnings) == (
        whole.digest,
        whole.schema,
        whole.columns,
        whole.warnings,
    )
    for name in ("categorical", "numeric", "labels", "weights"):
        np.testing.assert_array_equal(getattr(long, name), getattr(whole, name))
    for part, rows in whole.parts.items():
        np.testing.assert_array_equal(long.parts[part], rows)
    assert len(long.bags) == len(whole.bags) == 1
    for one, other in zip(long.bags, whole.bags, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["encoded"]  # nothing half-read is left


def test_the_profile_is_the_same(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, access = FileSource(paths=("t",)), DataAccess(roots=(folder,), cache=tmp_path)
    whole = profile(source, access=access)
    monkeypatch.setattr(long_table, "LONG_BYTES", 0)
    assert profile(source, access=access) == whole


def test_progress_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_table, "LONG_BYTES", 0)
    said: list[tuple[str, float]] = []
    request = DataSpec(source=FileSource(paths=("t",)))
    access = DataAccess(roots=(folder,), cache=tmp_path)
    load(request, TASKS, access=access, told=lambda what, share: said.append((what, share)))
    assert ("reading column 'number'", 0.0) in said
    assert [share for what, share in said if what == "encoding rows"][-1] == 1.0


def test_only_one_table_of_plain_columns_is_read_in_this_way(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_long(*paths: str) -> bool:
        source = open_source(FileSource(paths=paths), access=DataAccess(roots=(folder, tmp_path), cache=tmp_path))
        return isinstance(source.read(Wanted()).table, LongTable)

    pq.write_table(pa.table({"k": [1, 2], "y": [0, 1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"k": [1.5, 2.0], "y": [0, 1]}), tmp_path / "b.parquet")
    decimals = pa.array(["1", "2"]).cast(pa.decimal128(5, 0))
    pq.write_table(pa.table({"k": decimals, "y": [0, 1]}), tmp_path / "c.parquet")
    (tmp_path / "d.csv").write_text("k,y\n1,0\n")
    assert not is_long("t")
    monkeypatch.setattr(long_table, "LONG_BYTES", 0)
    assert is_long("t")
    assert is_long("a.parquet")
    assert not is_long("a.parquet", "b.parquet")
    assert not is_long("c.parquet")
    assert not is_long("a.parquet", "d.csv")
