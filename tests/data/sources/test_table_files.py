"""CSV and Parquet, plain and compressed, give the same table; what cannot be read says where."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest

from mtnas.data import DataAccess
from mtnas.data.data_spec import FileSource
from mtnas.data.sources.csv_files import CsvOptions
from mtnas.data.sources.file_tables import Wanted
from mtnas.data.sources.sources import open_source
from mtnas.data.sources.table_files import read_file
from mtnas.errors import DataError
from tests.data.people import people


def read_table(path: Path, *, where: str, **options: Any) -> pa.Table:
    return read_file(path, where=where, options=CsvOptions(**options)).table


def read_all(folder: Path, tables: Sequence[pa.Table]) -> pa.Table:
    """The tables as Parquet files of one source."""
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet")
    source = FileSource(paths=tuple(f"{number}.parquet" for number in range(len(tables))))
    return open_source(source, access=DataAccess(roots=(folder,), cache=folder / "cache")).read(Wanted()).table


def test_csv_gzip_and_parquet_of_one_table_read_the_same(tmp_path: Path) -> None:
    table = people(50)
    pc_csv.write_csv(table, tmp_path / "a.csv")
    (tmp_path / "b.txt").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    pq.write_table(table, tmp_path / "c.data")
    (tmp_path / "d").write_bytes(gzip.compress((tmp_path / "c.data").read_bytes()))
    read = [read_table(tmp_path / name, where="here").to_pydict() for name in ("a.csv", "b.txt", "c.data", "d")]
    assert read[0] == read[1]
    assert read[2] == read[3] == table.to_pydict()
    for name in ("city", "age", "height", "rich"):
        assert read[0][name] == read[2][name]


def test_delimiter_column_names_and_missing_texts_are_the_users(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("1\tx\n?\tNA\n")
    table = read_table(tmp_path / "a.tsv", where="here", delimiter="\t", column_names=("n", "t"), null_values=("?",))
    assert table.to_pydict() == {"n": [1, None], "t": ["x", "NA"]}


def test_a_quoted_line_break_belongs_to_its_value(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,"x\ny"\n2,z\n')
    assert read_table(tmp_path / "a.csv", where="here").num_rows == 2


def test_a_late_text_makes_the_whole_column_text(tmp_path: Path) -> None:
    rows = 1_500_000  # beyond the first block that types are guessed from
    (tmp_path / "a.csv").write_text("a,b\n" + "123456,1\n" * rows + "late,1\n")
    column = read_table(tmp_path / "a.csv", where="here").column("a")
    assert column[0].as_py() == "123456"
    assert column[rows].as_py() == "late"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3\n", "Row #3"),
        ("a,a\n1,2\n", "'a'"),
        ("a,b\n", "0 rows"),
        ("", "empty file"),
    ],
)
def test_a_bad_csv_file_is_refused_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_table(tmp_path / "bad.csv", where="data.source.paths[0]")
    assert caught.value.where == "data.source.paths[0] (bad.csv)"


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    pq.write_table(people(50), tmp_path / "whole.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:500])
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 500)[:-12])
    for name in ("cut.parquet", "cut.csv.gz"):
        with pytest.raises(DataError, match=name):
            read_table(tmp_path / name, where="here")


def test_tables_are_concatenated_whatever_the_order_of_columns_and_the_width_of_numbers(tmp_path: Path) -> None:
    first = pa.table({"a": [1, 2], "b": ["x", "y"]})
    second = pa.table({"b": ["z"], "a": pa.array([0.5])})
    third = pa.table({"a": pa.array([None], pa.null()), "b": ["w"]})
    assert read_all(tmp_path, [first, second, third]).to_pydict() == {"a": [1, 2, 0.5, None], "b": ["x", "y", "z", "w"]}


def test_numbers_here_and_texts_there_become_texts(tmp_path: Path) -> None:
    assert read_all(tmp_path, [pa.table({"a": [1]}), pa.table({"a": ["x"]})]).to_pydict() == {"a": ["1", "x"]}


def test_tables_with_other_columns_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"paths\[1\].*missing: \['b'\], in addition: \['c'\]"):
        read_all(tmp_path, [pa.table({"a": [1], "b": [1]}), pa.table({"a": [1], "c": [1]})])


def test_numbers_here_and_lists_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'a'"):
        read_all(tmp_path, [pa.table({"a": [1]}), pa.table({"a": [[1]]})])
