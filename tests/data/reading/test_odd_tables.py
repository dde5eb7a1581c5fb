"""Odd tables that once were read without a word, or refused without a place: one case a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtnas.errors import DataError
from tests.data.reading.as_people_bring_it import labelled, loaded, read

TIME = {"split": {"kind": "time", "column": "t"}}


@pytest.mark.parametrize(
    "moments", [["2021-1", "2021-10", "2021-2"], ["2021-01-5", "2021-01-28"], ["2021-W5", "2021-W10"]]
)
def test_a_time_split_refuses_months_and_days_of_one_digit(tmp_path: Path, moments: list[str]) -> None:
    labelled({"t": moments}).to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(DataError, match=r"ISO 8601.*date_format"):
        loaded(tmp_path, spec=TIME)


@pytest.mark.parametrize(
    "form", ["{:04d}", "{:04d}-W07", "{:04d}-W07-3", "{:04d}-11", "{:04d}-11-05", "{:04d}-11-05T07:30:00"]
)
def test_a_time_split_takes_what_sorts_as_text(tmp_path: Path, form: str) -> None:
    labelled({"t": [form.format(1000 + year) for year in range(200)]}).to_csv(tmp_path / "d.csv", index=False)
    data = loaded(tmp_path, spec=TIME)
    assert data.parts["train"].max() < data.parts["valid"].min() < data.parts["test"].min()


def test_latin_1_in_the_last_name_of_the_header_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes("y,né\n0,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"d\.csv.*UTF-8.*latin-1.*data\.source\.encoding"):
        read(tmp_path)


def test_a_parquet_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": [0, 1]}), tmp_path / "whole.parquet")
    (tmp_path / "d.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:-60])
    with pytest.raises(DataError, match=r"d\.parquet.*CSV or Parquet"):
        read(tmp_path, "d.parquet")


@pytest.mark.parametrize(("first", "told"), [(2**53, True), (2**63, True), (2**40, False)])
def test_ids_that_numbers_cannot_tell_apart_are_told_of(tmp_path: Path, first: int, told: bool) -> None:
    values = np.random.default_rng(0).integers(0, 90, 200)
    labelled({"c": [first + int(value) for value in values]}).to_csv(tmp_path / "d.csv", index=False)
    warned = [problem for problem in loaded(tmp_path).warnings if "read as categories" in problem.expected]
    assert [problem.where for problem in warned] == (["column 'c'"] if told else [])
    spec = {"features": [{"column": "c", "kind": "categorical"}]}
    assert not [problem for problem in loaded(tmp_path, spec=spec).warnings if "as categories" in problem.expected]
