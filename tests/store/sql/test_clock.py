"""Times: aware, in UTC, and ordered alike in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, MetaData, Table, insert, literal, select

from mtnas.store.database import Database
from mtnas.store.sql.clock import UtcDateTime, now, seconds_from_now

MOMENTS = Table("moments", MetaData(), Column("at", UtcDateTime))


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    with database.write() as connection:
        MOMENTS.create(connection)
    yield database
    database.close()


def test_times_come_back_in_utc_and_sorted(database: Database) -> None:
    start = datetime(1999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    steps = [timedelta(0), timedelta(milliseconds=1), timedelta(seconds=1), timedelta(days=400)]
    given = [(start + step).astimezone(timezone(timedelta(hours=-7))) for step in steps]
    with database.write() as connection:
        connection.execute(insert(MOMENTS), [{"at": moment} for moment in reversed(given)])
        stored = connection.execute(select(MOMENTS.c.at).order_by(MOMENTS.c.at)).scalars().all()
    assert stored == given
    assert all(moment.tzinfo is UTC for moment in stored)


def test_naive_times_are_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="aware"), database.write() as connection:
        connection.execute(insert(MOMENTS), {"at": datetime(2026, 1, 1)})


@pytest.mark.parametrize("seconds", [-86_400.0, -0.5, 0.0, 0.001, 59.999, 1e6])
def test_database_adds_seconds_to_its_own_clock(database: Database, seconds: float) -> None:
    with database.read() as connection:
        before, after = connection.execute(select(now(), seconds_from_now(seconds))).one()
    assert abs((after - before).total_seconds() - seconds) < 0.0011  # SQLite keeps milliseconds


def test_clock_compares_with_stored_times(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(MOMENTS).values(at=seconds_from_now(0.05)))
        assert connection.execute(select(MOMENTS.c.at > now())).scalar_one()
        assert connection.execute(select(MOMENTS.c.at < seconds_from_now(1.0))).scalar_one()
        later = literal(datetime(2999, 1, 1, tzinfo=UTC), UtcDateTime)
        assert connection.execute(select(MOMENTS.c.at < later)).scalar_one()
