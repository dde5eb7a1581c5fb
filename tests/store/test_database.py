"""The engine: durable settings, write locks from the start, and errors of the house."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from mtnas.errors import ConflictError, SpecError, StoreError
from mtnas.store import JobKind, Store
from mtnas.store.database import Database


def test_sqlite_is_durable_and_checks_foreign_keys(sqlite_store: Store) -> None:
    with sqlite_store._database.read() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_write_waits_for_another_write_instead_of_failing(sqlite_store: Store) -> None:
    database = sqlite_store._database
    first_has_begun, second_may_try = threading.Event(), threading.Event()

    def first() -> None:
        with database.write():
            first_has_begun.set()
            second_may_try.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    first_has_begun.wait(10)
    threading.Timer(0.2, second_may_try.set).start()
    sqlite_store.jobs.submit(JobKind.SEARCH, "a", {})
    assert second_may_try.is_set()
    thread.join()


def test_reading_does_not_wait_for_a_writer(sqlite_store: Store) -> None:
    with sqlite_store._database.write():
        assert sqlite_store.jobs.list() == ()


def test_block_that_raises_writes_nothing(store: Store) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})

    def interrupted() -> None:
        with store._database.write() as connection:
            connection.execute(text("UPDATE jobs SET name = 'b'"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.jobs.get(job.id) == job


def test_contradiction_is_a_conflict(store: Store, url: str) -> None:
    with pytest.raises(ConflictError), store._database.write() as connection:
        connection.execute(text("INSERT INTO events VALUES ('no job', 1, 'note', '{}', '2026-01-01 00:00:00.000')"))


@pytest.mark.parametrize(
    "changed", ["state = 'running'", "state = 'failed'", "state = 'succeeded'", "state = 'lost'", "worker = 'w'"]
)
def test_database_itself_refuses_impossible_jobs(store: Store, changed: str) -> None:
    store.jobs.submit(JobKind.SEARCH, "a", {})
    with pytest.raises(ConflictError), store._database.write() as connection:
        connection.execute(text(f"UPDATE jobs SET {changed}"))


def test_value_that_json_cannot_say_is_the_callers_error(store: Store) -> None:
    with pytest.raises(TypeError, match="set"):
        store.jobs.submit(JobKind.SEARCH, "a", {"x": {1, 2}})


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "nonsense", ""])
def test_other_databases_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="store url"):
        Store.open(url, artifacts=tmp_path)


def test_unreachable_database_is_an_error_of_the_store_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a database that answers") as caught:
        Store.open(f"postgresql://user:secret@/name?host={tmp_path}", artifacts=tmp_path)
    assert "secret" not in str(caught.value)


def test_file_that_is_no_database_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{tmp_path}/notes.txt", artifacts=tmp_path / "artifacts")


def test_address_may_name_either_scheme_of_postgresql() -> None:
    for url in ("postgresql://u@h/n", "postgresql+psycopg://u@h/n", "postgres://u@h/n"):
        assert Database(url).where == "postgresql+psycopg://u@h/n"
