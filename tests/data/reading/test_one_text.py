"""A value has one text: over all files, on both sides of a join, and whatever a served row comes as."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtnas.data import check_against_profile, profile
from mtnas.data.columns.value_text import Places, Spelling
from mtnas.data.data_spec import DataSpec, Feature, FileSource
from tests.data.reading.as_people_bring_it import (
    TASKS,
    access,
    assert_served_alike,
    labelled,
    loaded,
    module,
    read,
)


@pytest.mark.parametrize(
    "values",
    [
        ["007", "012", "100"],
        ["True", "False"],
        ["TRUE", "FALSE"],
        ["1.50", "2.25", "3.00"],
        ["1e3", "2e3"],
        [" 5", "6", " 7"],
        ["+5", "-6"],
        ["2022-01-31", "2022-02-01"],
        ["2022-01-31 10:00", "2022-02-01 11:30"],
        ["red", "NA", "blue", "None"],
        ["9857189803270129030", "11917462632579496993"],
        ["123456789012345678901234", "223456789012345678901234"],
        ["00100", "A1", "200"],
        ["12345678901", "22345678901"],
        ["0x1F", "0x2A"],
    ],
)
def test_a_category_is_the_same_from_every_reader(tmp_path: Path, values: list[str]) -> None:
    labelled({"c": values}).to_csv(tmp_path / "d.csv", index=False)
    data = loaded(tmp_path, spec={"features": (Feature(column="c", kind="categorical"),)})
    assert set(np.unique(data.categorical[:, 0])) - {0} == set(range(1, len(set(values) - {"NA", "None"}) + 1))
    assert_served_alike(data, tmp_path / "d.csv")


def test_whole_numbers_with_a_gap_are_the_same_as_floats(tmp_path: Path) -> None:
    labelled({"c": ["3", "4", ""], "n": ["12345678901", "", "7"]}).to_csv(tmp_path / "d.csv", index=False)
    features = (Feature(column="c", kind="categorical"), Feature(column="n", kind="categorical"))
    data = loaded(tmp_path, spec={"features": features})
    assert {*data.schema.categorical[0].values} == {"3", "4"}
    assert {*data.schema.categorical[1].values} == {"12345678901", "7"}
    assert_served_alike(data, tmp_path / "d.csv")


def test_ids_of_64_bits_without_sign_keep_their_digits(tmp_path: Path) -> None:
    ids = [str(2**63 + 1000 * number + number) for number in range(40)]
    labelled({"user_hash": ids}).to_csv(tmp_path / "d.csv", index=False)
    assert read(tmp_path).table.column("user_hash").type == pa.uint64()
    data = loaded(tmp_path)
    assert set(data.schema.categorical[0].values) <= set(ids)
    assert len(set(data.categorical[:, 0].tolist())) == 40


def test_a_column_is_of_one_type_over_all_files(tmp_path: Path) -> None:
    zips = [f"{100 + number:05}" for number in range(20)]
    pd.DataFrame({"zip": zips, "y": 0}).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame({"zip": [*zips[1:], "A1"], "y": 1}).to_csv(tmp_path / "b.csv", index=False)
    values = read(tmp_path, "a.csv", "b.csv").table.column("zip").to_pylist()
    assert set(values) == {*zips, "A1"}


def test_numbers_stay_numbers_over_files_that_differ_in_width(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,y\n1,0\n2,1\n")
    (tmp_path / "b.csv").write_text("n,y\n1.5,0\n,1\n")
    (tmp_path / "c.csv").write_text("n,y\n+3,0\n 4,1\n")
    assert read(tmp_path, "a.csv", "b.csv", "c.csv").table.column("n").to_pylist() == [1, 2, 1.5, None, 3, 4]


def test_booleans_and_their_numbers_over_files_do_not_become_two_values(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,y\n2020-01-01,0\n2020-01-02,1\n")
    (tmp_path / "b.csv").write_text("n,y\n2020-01-03 12:00:00,0\n,1\n")
    assert pa.types.is_timestamp(read(tmp_path, "a.csv", "b.csv").table.column("n").type)


def test_both_sides_of_a_join_are_of_one_type(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("zip,y\n00100,0\n00200,1\n")
    (tmp_path / "z.csv").write_text("zip,v\n00100,5\nA1,6\n")
    (tmp_path / "n.csv").write_text("zip,v\n100,5\n200.0,6\n")
    pq.write_table(pa.table({"zip": [100, 200], "v": [5, 6]}), tmp_path / "z.parquet")
    for name, expected in (("z.csv", [5, None]), ("n.csv", [5, 6]), ("z.parquet", [5, 6])):
        join = ({"path": name, "on": ("zip",)},)
        assert read(tmp_path, join=join).table.column("v").to_pylist() == expected


def test_a_text_key_that_spells_a_number_meets_the_number_of_a_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("zip,y\n00100,0\nA1,1\n")
    pq.write_table(pa.table({"zip": [100, 200], "v": [5, 6]}), tmp_path / "z.parquet")
    join = ({"path": "z.parquet", "on": ("zip",)},)
    assert read(tmp_path, join=join).table.column("v").to_pylist() == [5, None]


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("integer", 7, 1),
        ("integer", 7.0, 1),
        ("integer", "007", 1),
        ("integer", " +7 ", 1),
        ("integer", "7.0", 1),
        ("integer", Decimal("7.00"), 1),
        ("integer", np.uint8(7), 1),
        ("integer", True, 0),
        ("integer", "seven", 0),
        ("integer", None, 0),
        ("integer", float("nan"), 0),
        ("text", "007", 2),
        ("text", 7, 2),
        ("text", 7.0, 2),
        ("text", "7", 0),
        ("text", True, 3),
        ("text", date(2022, 1, 31), 4),
        ("boolean", "TRUE", 1),
        ("boolean", 1, 1),
        ("boolean", 0.0, 2),
        ("boolean", "0", 2),
        ("boolean", np.True_, 1),
        ("time", "2022-01-31T00:00:00", 1),
        ("time", date(2022, 1, 31), 1),
        ("time", "2022-01-31", 1),
        ("time", "2022-01-31T01:00:00+01:00", 1),
    ],
)
def test_a_value_is_found_in_whatever_it_comes_as(kind: Any, value: Any, found: int) -> None:
    values = {
        "integer": ["7", "8"],
        "text": ["A1", "007", "True", "2022-01-31"],
        "boolean": ["true", "false"],
        "time": ["2022-01-31"],
    }[kind]
    plain = value.item() if isinstance(value, np.generic) else value
    assert Places(values, kind, Spelling()).find(plain) == found


def test_a_number_that_two_texts_spell_is_neither() -> None:
    assert Places(["7", "007"], "text", Spelling()).find(7) == 1
    assert Places(["07", "007"], "text", Spelling()).find(7) == 0


def test_a_whole_number_beyond_float64_does_not_stand_for_its_neighbour() -> None:
    known = Places([str(2**63 + 1000)], "integer", Spelling())
    assert known.find(2**63 + 1000) == 1
    assert known.find(2**63 + 1001) == 0
    assert known.find(float(2**63 + 1000)) == 1


def test_a_parquet_text_keeps_its_zeros_and_is_found_as_the_number_too(tmp_path: Path) -> None:
    frame = labelled({"zip": ["007", "012", "100"]})
    frame.to_parquet(tmp_path / "d.parquet")
    data = loaded(tmp_path, "d.parquet", spec={"features": (Feature(column="zip", kind="categorical"),)})
    assert set(data.schema.categorical[0].values) == {"007", "012", "100"}
    for rows in (frame, frame.assign(zip=frame.zip.astype(int)), pq.read_table(tmp_path / "d.parquet")):
        np.testing.assert_array_equal(module(data)(rows)["categorical"], data.categorical)


def test_a_split_names_values_as_they_stand_in_the_file(tmp_path: Path) -> None:
    labelled({"held": ["True", "False", "False"], "year": ["02020", "2021", "2022"]}).to_csv(
        tmp_path / "d.csv", index=False
    )
    split = {"kind": "column", "column": "held", "train": ("False",), "test": ("True",), "halve_test": True}
    data = loaded(tmp_path, spec={"split": split})
    assert len(data.parts["valid"]) + len(data.parts["test"]) == 67
    found = profile(FileSource(paths=("d.csv",)), access=access(tmp_path))
    request = DataSpec(source=FileSource(paths=("d.csv",)), split=split)  # type: ignore[arg-type]
    assert not [problem for problem in check_against_profile(request, TASKS, found) if problem.severity == "error"]
    split = {"kind": "column", "column": "year", "train": ("2020",), "valid": ("2021.0",), "test": ("2022",)}
    assert all(rows.size for rows in loaded(tmp_path, spec={"split": split}).parts.values())
