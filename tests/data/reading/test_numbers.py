"""Decimals, thousands, sentinels, durations, moments: numbers as files write them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtnas.data.columns.column import numbers_of
from mtnas.data.data_spec import DataSpec, Feature, FileSource
from mtnas.errors import DataError
from tests.data.reading.as_people_bring_it import assert_served_alike, labelled, loaded, module, read


def numeric(*names: str) -> dict[str, object]:
    return {"features": tuple(Feature(column=name, kind="numeric") for name in names)}


def test_commas_between_thousands_are_seen_and_told_of(tmp_path: Path) -> None:
    labelled({"pay": ["97,496", "2,018", "1,234,567", "12"]}).to_csv(tmp_path / "d.csv", index=False)
    found = read(tmp_path)
    assert found.table.column("pay").to_pylist()[:4] == [97496, 2018, 1234567, 12]
    data = loaded(tmp_path)
    assert [column.name for column in data.schema.numeric] == ["x"]  # four values are a category
    assert_served_alike(loaded(tmp_path, spec=numeric("pay", "x")), tmp_path / "d.csv", thousands=",")
    assert any("pay" in warning.where for warning in found.warnings)


def test_decimal_commas_are_seen_where_commas_do_not_divide(tmp_path: Path) -> None:
    values = ["-0,4597", "3,20", "1,234", "7"]
    labelled({"v": values}).assign(x="1,5").to_csv(tmp_path / "d.csv", index=False, sep=";")
    found = read(tmp_path, delimiter=";")
    assert found.table.column("v").to_pylist()[:4] == [-0.4597, 3.2, 1.234, 7]
    assert any("decimal" in warning.found for warning in found.warnings)
    data = loaded(tmp_path, delimiter=";", spec=numeric("v"))
    assert_served_alike(data, tmp_path / "d.csv", delimiter=";", decimal=",")


def test_a_comma_after_a_nought_comes_before_a_fraction(tmp_path: Path) -> None:
    labelled({"v": ["0,126", "-0,132", "1,640"]}).assign(x="1").to_csv(tmp_path / "d.csv", index=False, sep=";")
    assert read(tmp_path, delimiter=";").table.column("v").to_pylist()[:3] == [0.126, -0.132, 1.64]


def test_plain_numbers_as_texts_are_nothing_to_tell_of(tmp_path: Path) -> None:
    for name, values in (("a", [1, 2]), ("b", ["1", "3"])):
        pq.write_table(pa.table({"k": values, "y": [0, 1]}), tmp_path / f"{name}.parquet")
    assert read(tmp_path, "a.parquet", "b.parquet").warnings == ()


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("v;y\n1.234,50;0\n2,5;1\n", {"delimiter": ";", "decimal": ",", "thousands": "."}, [1234.5, 2.5]),
        ("v;y\n1.234,50;0\n2,5;1\n", {"delimiter": ";"}, [1234.5, 2.5]),
        ("v,y\n1 234,0\n25,1\n", {"thousands": " "}, [1234, 25]),
        ("v,y\n1'234.5,0\n25,1\n", {"thousands": "'"}, [1234.5, 25]),
        ('v,y\n"1,234.5",0\n"25",1\n', {}, [1234.5, 25]),
    ],
)
def test_options_say_how_numbers_are_written(
    tmp_path: Path, text: str, options: dict[str, str], expected: list[float]
) -> None:
    (tmp_path / "d.csv").write_text(text)
    assert read(tmp_path, **options).table.column("v").to_pylist() == expected


@pytest.mark.parametrize(
    "values", [["3,20", "4,50"], ["1 234", "5 678"], ["12%", "5%"], ["$5", "$7"], ["100,200", "101,205"]]
)
def test_texts_that_may_be_numbers_are_told_of(tmp_path: Path, values: list[str]) -> None:
    labelled({"v": values}).to_csv(tmp_path / "d.csv", index=False)
    found = read(tmp_path)
    assert found.table.column("v").to_pylist()[:2] == values
    (warning,) = found.warnings
    assert warning.where == "column 'v'"
    assert values[0] in warning.found


def test_lists_that_are_asked_for_are_no_numbers(tmp_path: Path) -> None:
    labelled({"tags": ["97,496", "2,018"], "ids": ["007", "8"]}).to_csv(tmp_path / "d.csv", index=False)
    features = (
        Feature(column="tags", kind="multi_valued", separator=","),
        Feature(column="ids", kind="multi_valued", separator="|"),
    )
    data = loaded(tmp_path, spec={"features": features})
    assert set(data.schema.bags[0].values) == {"97", "496", "2", "018"}
    assert set(data.schema.bags[1].values) == {"007", "8"}
    frame = pd.read_csv(tmp_path / "d.csv")
    found = module(data)(frame)
    np.testing.assert_array_equal(found["bag_1"][:, 0], data.bags[1][1])


def test_a_text_for_nothing_is_nothing_as_a_number_too(tmp_path: Path) -> None:
    labelled({"n": ["-99", "5", "7.5"], "c": ["-99", "red", "blue"]}).to_csv(tmp_path / "d.csv", index=False)
    features = (Feature(column="n", kind="numeric", bins=0), Feature(column="c", kind="categorical"))
    data = loaded(tmp_path, null_values=("-99",), spec={"features": features})
    assert data.schema.numeric[0].indicator
    assert_served_alike(data, tmp_path / "d.csv")


def test_decimals_are_rounded_once_in_training_and_serving(tmp_path: Path) -> None:
    values = [Decimal("12345678901234.56"), Decimal("0.10"), Decimal("-7.77"), None]
    table = pa.table({"dec": pa.array(values * 50, pa.decimal128(16, 2)), "y": [0, 1, 1, 0] * 50})
    pq.write_table(table, tmp_path / "d.parquet")
    column = read(tmp_path, "d.parquet").table.column("dec")
    expected = [np.nan if value is None else float(value) for value in values]
    np.testing.assert_array_equal(numbers_of(column, name="dec")[:4], expected)
    data = loaded(tmp_path, "d.parquet", spec=numeric("dec"))
    for rows in (table, table.to_pydict(), pd.read_parquet(tmp_path / "d.parquet")):
        np.testing.assert_array_equal(module(data)(rows)["numeric"], data.numeric)


def test_decimals_without_fraction_keep_their_digits(tmp_path: Path) -> None:
    ids = [Decimal(2**64 + number) for number in range(4)]
    pq.write_table(
        pa.table({"id": pa.array(ids, pa.decimal128(22, 0)), "n": pa.array([Decimal(5)] * 4)}), tmp_path / "d.parquet"
    )
    table = read(tmp_path, "d.parquet").table
    assert table.column("id").to_pylist() == [str(value) for value in ids]
    assert table.column("n").to_pylist() == [5] * 4


def test_durations_are_seconds(tmp_path: Path) -> None:
    spans = [timedelta(seconds=90), timedelta(days=-1, milliseconds=500), None]
    frame = labelled({"x2": [1]}, num_rows=150).assign(span=pd.Series(spans * 50))
    frame.to_parquet(tmp_path / "d.parquet")
    column = read(tmp_path, "d.parquet").table.column("span")
    np.testing.assert_array_equal(numbers_of(column, name="span")[:3], [90, -86399.5, np.nan])
    data = loaded(tmp_path, "d.parquet")
    assert "span" in data.schema.columns
    data = loaded(tmp_path, "d.parquet", spec=numeric("span"))
    for rows in (frame, pq.read_table(tmp_path / "d.parquet"), {"span": spans * 50}):
        np.testing.assert_array_equal(module(data)(rows)["numeric"], data.numeric)


def test_moments_as_numbers_are_served_from_texts(tmp_path: Path) -> None:
    labelled({"at": ["2022-01-31 10:00:00", "1950-06-01 00:00:01", "9999-12-31 23:59:59"]}).to_csv(
        tmp_path / "d.csv", index=False
    )
    assert_served_alike(loaded(tmp_path, spec=numeric("at")), tmp_path / "d.csv")


def test_a_date_format_reads_days_and_a_split_by_time_is_in_their_order(tmp_path: Path) -> None:
    days = pd.date_range("2021-12-20", periods=60).strftime("%d/%m/%Y")
    labelled({"day": list(days)}, num_rows=240).to_csv(tmp_path / "d.csv", index=False)
    split = {"kind": "time", "column": "day"}
    data = loaded(tmp_path, date_format="%d/%m/%Y", spec={"split": split})
    read_days = pd.to_datetime(pd.read_csv(tmp_path / "d.csv").day, dayfirst=True)
    latest = {part: read_days[rows].max() for part, rows in data.parts.items()}
    earliest = {part: read_days[rows].min() for part, rows in data.parts.items()}
    assert max(latest["train"], latest["search"]) < earliest["valid"]
    assert latest["valid"] < earliest["test"]
    features = (Feature(column="day", kind="categorical"), Feature(column="x", kind="numeric"))
    data = loaded(tmp_path, date_format="%d/%m/%Y", spec={"features": features})
    assert_served_alike(data, tmp_path / "d.csv")


@pytest.mark.parametrize("written", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d %b %Y", "%Y/%m/%d", "%d%m%Y", "%m%d%Y"])
def test_a_split_by_time_on_other_days_is_refused_with_a_hint(tmp_path: Path, written: str) -> None:
    days = pd.date_range("2021-12-20", periods=60).strftime(written)
    labelled({"day": list(days)}, num_rows=240).to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(DataError, match="date_format") as caught:
        loaded(tmp_path, spec={"split": {"kind": "time", "column": "day"}})
    assert "'day'" in caught.value.where


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y%m%d", "%G-W%V", "%Y-%m"])
def test_a_split_by_time_on_iso_days_is_in_their_order(tmp_path: Path, written: str) -> None:
    moments = pd.date_range("2021-01-01", periods=60, freq="10D")
    labelled({"day": list(moments.strftime(written))}, num_rows=240).to_csv(tmp_path / "d.csv", index=False)
    data = loaded(tmp_path, spec={"split": {"kind": "time", "column": "day"}})
    assert data.parts["train"].size
    order = np.arange(240) % 60
    assert order[data.parts["train"]].max() < order[data.parts["test"]].min()


@pytest.mark.parametrize(
    "source", [{"encoding": "klingon"}, {"thousands": "."}, {"thousands": "1"}, {"date_format": "day"}]
)
def test_options_that_cannot_work_are_refused_by_the_specification(source: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(source))):
        DataSpec(source=FileSource(paths=("d.csv",), **source))  # type: ignore[arg-type]
