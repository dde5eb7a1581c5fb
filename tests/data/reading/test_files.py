"""Encodings, archives and other things that are no table: each is named at once, with what to do."""

from __future__ import annotations

import codecs
import gzip
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from mtnas.errors import DataAccessError, DataError
from tests.data.reading.as_people_bring_it import labelled, loaded, read

TEXT = "cité,y\nà Nîmes,0\nœuvre,1\n"


def test_latin_1_is_named_with_its_line_and_what_it_reads(tmp_path: Path) -> None:
    for content in ("cité,y\nlong text here,0\n", "town,y\nok,1\nNîmes,0\n"):
        (tmp_path / "d.csv").write_bytes(content.encode("latin-1"))
        with pytest.raises(DataError, match=r"d\.csv.*UTF-8.*latin-1.*data\.source\.encoding") as caught:
            read(tmp_path)
        assert ("cité" if "cité" in content else "line 3") in caught.value.found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "iso8859-15"])
@pytest.mark.parametrize("compress", [False, True])
def test_a_file_is_read_in_the_encoding_that_is_named(tmp_path: Path, encoding: str, compress: bool) -> None:
    content = TEXT.encode(encoding)
    (tmp_path / "d.csv").write_bytes(gzip.compress(content) if compress else content)
    table = read(tmp_path, encoding=encoding).table
    assert table.to_pydict() == {"cité": ["à Nîmes", "œuvre"], "y": [0, 1]}


def test_a_file_that_is_not_in_the_named_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"a,y\n\x81\x20,1\n")
    with pytest.raises(DataError, match=r"data\.source\.encoding"):
        read(tmp_path, encoding="shift-jis")


def _zip(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "a,y\n1,0\n")
    return buffer.getvalue()


def _feather() -> bytes:
    buffer = io.BytesIO()
    feather.write_feather(pa.table({"a": [1]}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_zip("d.csv"), "zip archive that holds d.csv"),
        (_zip("xl/workbook.xml"), "Excel workbook"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "UTF-16.*set data.source.encoding to 'utf-16'"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
        (_feather(), "Feather"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'{"a": 1, "y": 0}\n', "JSON"),
        (b"BZh91AY", "bzip2"),
        (bytes(range(256)) * 10, "no text"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "d.csv").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path)
    assert "d.csv" in caught.value.where


def test_an_index_of_a_data_frame_is_no_input(tmp_path: Path) -> None:
    frame = labelled({"c": ["a", "b"]}).sample(frac=1, random_state=0)
    frame.to_parquet(tmp_path / "numbered.parquet")
    frame.set_index(frame.x * 2).to_parquet(tmp_path / "floats.parquet")
    frame.assign(user=np.arange(len(frame)) % 7).set_index("user").to_parquet(tmp_path / "named.parquet")
    for name in ("numbered", "floats", "named"):
        data = loaded(tmp_path, f"{name}.parquet", spec={"exclude": ()})
        assert set(data.schema.columns) <= {"c", "x"}
    (index,) = [column for column in data.columns if column.name == "user"]
    assert (index.use, "index" in index.reason) == ("left_out", True)


def test_an_index_can_be_asked_for(tmp_path: Path) -> None:
    frame = labelled({"c": ["a", "b"]})
    frame.assign(user=np.arange(len(frame)) % 7).set_index("user").to_parquet(tmp_path / "d.parquet")
    data = loaded(tmp_path, "d.parquet", spec={"features": ({"column": "user", "kind": "categorical"},)})
    assert data.schema.columns == ("user",)


def test_a_column_without_a_name_is_left_out_and_told_of(tmp_path: Path) -> None:
    labelled({"c": ["a", "b"]}).sample(frac=0.9, random_state=0).to_csv(tmp_path / "d.csv")
    data = loaded(tmp_path)
    assert set(data.schema.columns) == {"c", "x"}
    assert any("name for every column" in warning.expected for warning in data.warnings)
    assert [column.use for column in data.columns if not column.name] == ["left_out"]


def test_an_excluded_column_is_never_looked_at(tmp_path: Path) -> None:
    frame = labelled({"c": ["a", "b"]})
    frame.assign(raw=b"\xff\x00").to_parquet(tmp_path / "d.parquet")
    frame.assign(raw="caf\u00e9").to_csv(tmp_path / "d.csv", index=False, encoding="latin-1")
    for name in ("d.parquet", "d.csv"):
        data = loaded(tmp_path, name, spec={"exclude": ("raw",)})
        assert set(data.schema.columns) == {"c", "x"}
        (raw,) = [column for column in data.columns if column.name == "raw"]
        assert raw.reason == "excluded, not looked at"


def test_raw_bytes_are_left_out_like_structures(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(labelled({"c": ["a", "b"]}), preserve_index=False)
    table = table.append_column("raw", pa.array([b"\xff"] * 200)).append_column("s", pa.array([{"a": 1}] * 200))
    pq.write_table(table, tmp_path / "d.parquet")
    data = loaded(tmp_path, "d.parquet")
    assert set(data.schema.columns) == {"c", "x"}
    assert {column.name for column in data.columns if column.use == "left_out"} == {"raw", "s"}
    with pytest.raises(DataError, match="'raw'"):
        loaded(tmp_path, "d.parquet", spec={"features": ({"column": "raw", "kind": "categorical"},)})


def test_the_use_of_every_column_is_told(tmp_path: Path) -> None:
    frame = labelled({"c": ["a", "b"], "one": [1], "user": list(range(40))}, num_rows=400)
    frame = frame.assign(row=np.arange(400), day=pd.date_range("2022-01-01", periods=400).astype(str))
    frame.assign(weight=1 + frame["row"] % 2).to_csv(tmp_path / "d.csv", index=False)
    spec = {"split": {"kind": "time", "column": "day"}, "weight_column": "weight"}
    data = loaded(tmp_path, spec=spec)
    told = {column.name: (column.use, column.read_as) for column in data.columns}
    assert told["c"] == ("input", "categorical")
    assert told["x"] == ("input", "numeric")
    assert told["y"] == ("label", "")
    assert told["day"] == ("split", "")
    assert told["weight"] == ("weight", "")
    assert told["row"] == told["one"] == ("left_out", "")
    assert all(column.reason for column in data.columns if column.use == "left_out")
    assert loaded(tmp_path, spec=spec).columns == data.columns  # from the cache


def test_rows_twice_ids_and_random_splits_are_warned_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = labelled({"user_id": list(range(60))}, num_rows=300).assign(x=rng.normal(size=300))
    once = [f"k{number}" for number in range(300)]
    frame = frame.assign(z=rng.normal(size=300), key=once, day=pd.date_range("2022-01-01", periods=300).astype(str))
    frame.to_csv(tmp_path / "d.csv", index=False)
    features = [{"column": name, "kind": "numeric"} for name in ("x", "z")]
    features.append({"column": "key", "kind": "categorical"})
    places = [warning.where for warning in loaded(tmp_path, spec={"features": features}).warnings]
    assert places == ["column 'key'", "column 'user_id'", "column 'day'"]
    pd.concat([frame, frame[:30]]).to_csv(tmp_path / "d.csv", index=False)
    (copies,) = [w for w in loaded(tmp_path, spec={"features": features}).warnings if w.where == "data.split"]
    assert "training row" in copies.found
    split = {"kind": "group", "column": "user_id"}
    warned = loaded(tmp_path, spec={"features": features[:2], "split": split}).warnings
    assert not [w for w in warned if w.where in ("data.split", "column 'user_id'", "column 'day'")]


def test_few_values_that_come_back_by_chance_are_no_copies(tmp_path: Path) -> None:
    labelled({"c": ["a", "b"], "d": [1, 2, 3]}).drop(columns="x").to_csv(tmp_path / "d.csv", index=False)
    assert not [warning for warning in loaded(tmp_path).warnings if warning.where == "data.split"]


def test_a_folder_a_pattern_and_a_list_are_one_table(tmp_path: Path) -> None:
    frame = labelled({"c": ["a", "b"]}).drop(columns="x")
    (tmp_path / "days" / "deep").mkdir(parents=True)
    frame[:100].to_csv(tmp_path / "days" / "a.csv", index=False)
    frame[100:].to_csv(tmp_path / "days" / "deep" / "b.csv", index=False)
    (tmp_path / "days" / "job.yaml").write_text("no: table")
    (tmp_path / "days" / "_SUCCESS").write_text("")
    (tmp_path / "days" / ".a.csv").write_text("broken")
    expected = frame.to_dict("list")
    for paths in (("days",), ("days/*.csv", "days/*/*.csv"), ("days/**/*.csv",), ("days/a.csv", "days/deep/b.csv")):
        assert read(tmp_path, *paths).table.to_pydict() == expected


def test_folders_named_key_and_value_are_columns(tmp_path: Path) -> None:
    table = pa.table({"region": ["n", "s", "n", None], "day": [1, 1, 2, 2], "v": [1.0, 2.0, 3.0, 4.0]})
    pq.write_to_dataset(table, tmp_path / "parts", partition_cols=["region", "day"])
    found = read(tmp_path, "parts").table.sort_by("v")
    assert found.select(["v", "region", "day"]).to_pydict() == table.select(["v", "region", "day"]).to_pydict()


def test_paths_that_lead_outside_or_to_nothing_are_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret.csv").write_text("a,y\n1,0\n")
    (root / "link").symlink_to(outside)
    (root / "empty").mkdir()
    for path in ("link", "link/*.csv", "../outside", "../outside/*.csv", str(outside), f"{outside}/*", "empty", "no*"):
        with pytest.raises(DataAccessError):
            read(root, path)


@pytest.mark.parametrize(("delimiter", "named"), [(";", ","), ("\t", ","), ("|", ","), (",", ";")])
def test_another_delimiter_is_named(tmp_path: Path, delimiter: str, named: str) -> None:
    labelled({"c": ["a", "b"]}).to_csv(tmp_path / "d.csv", index=False, sep=delimiter)
    with pytest.raises(DataError, match=r"data\.source\.delimiter") as caught:
        read(tmp_path, delimiter=named)
    assert repr(delimiter) in caught.value.found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"a,y",
        b"a,y\n",
        b'a,y\n"1,0\n2,1\n',
        b"a,y\n1,0,3\n",
        b"a,y\n1\n",
        b"a,y\n\x00,1\n",
        b"a,y\n\xff\xfe,1\n",
        b"\xff,y\n1,0\n",
        b"PAR1 is the name,y\n1,0\n",
        b"\x1f\x8b not gzip",
        b"a,y\n" + b"9" * 5000 + b",0\n1,1\n",
        b"a,y\n1e999,0\n1,1\n",
        b"\r\r\r",
        b"a,a,y\n1,2,0\n",
        b"a,y,,\n1,0,,\n",
    ],
)
def test_a_file_that_cannot_be_used_ends_in_an_error_of_the_data(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.csv").write_bytes(content)
    with pytest.raises(DataError):
        loaded(tmp_path)


def test_a_link_out_of_the_roots_is_named_as_the_request_could_name_it(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.csv"
    (inside / "days").mkdir(parents=True)
    labelled({"c": ["a"]}).to_csv(outside, index=False)
    (inside / "days" / "d.csv").symlink_to(outside)
    for named in ("days", "days/*.csv"):
        with pytest.raises(DataAccessError, match="below the data roots") as caught:
            read(inside, named)
        assert str(tmp_path) not in str(caught.value)


def test_more_files_than_a_table_may_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        labelled({"c": ["a"]}).to_csv(tmp_path / f"{number}.csv", index=False)
    monkeypatch.setattr("mtnas.data.sources.locating._MOST_FILES", 2)
    with pytest.raises(DataAccessError, match="at most 2 files"):
        read(tmp_path, "*.csv")
