"""The engine and the only two ways to a connection: `read()` and `write()`. Nothing else in the store commits."""

from __future__ import annotations

import errno
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from mtnas.errors import ConflictError, OutOfDiskError, SpecError, StoreError
from mtnas.store.sql.finite_json import dumps

BUSY_TIMEOUT_S = 30.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of system errors that say so."""
_WRITES = "mtnas_writes"  # execution option: this transaction will write


class Database:
    """One SQLite file or PostgreSQL database, and how this process reaches it. Threads may share it."""

    def __init__(self, url: str) -> None:
        """Prepare to connect to `url`; nothing is opened yet.

        Args:
            url: `sqlite:////folder/file.db` (the folder is made if it is missing) or `postgresql://...`.

        Raises:
            SpecError: another kind of database, or SQLite in memory, which processes cannot share.
        """
        parsed = _checked(url)
        self.where = parsed.render_as_string(hide_password=True)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S} if self.is_sqlite else {}
        self.engine: Engine = create_engine(
            parsed,
            connect_args=arguments,
            json_serializer=dumps,
            json_deserializer=json.loads,
            pool_pre_ping=not self.is_sqlite,
        )
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing.

        Raises:
            StoreError: the database does not answer; a retry may help.
        """
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends and rolls back when it raises.

        In SQLite it holds the write lock from its first statement, so it never fails half way for another writer.

        Raises:
            ConflictError: what was written contradicts what the database holds.
            StoreError: the database does not answer, or its disk is full; a retry may help.
        """
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                connection = connection.execution_options(**{_WRITES: writes})
                with connection.begin():
                    yield connection
        except IntegrityError as error:
            raise ConflictError(
                expected="rows that fit the others", found=_first_line(error), where="database"
            ) from error
        except SQLAlchemyError as error:
            if isinstance(error, StatementError) and not isinstance(error, DBAPIError) and error.orig is not None:
                raise error.orig from None  # a value that no column can hold: the caller's error, not the database's
            raise _store_error(error) from error

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        self.engine.dispose()


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SpecError(
            expected="a database URL such as sqlite:////folder/mtnas.db", found=repr(url), where="store url"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise SpecError(
        expected="sqlite:////path or postgresql://host/name",
        found=parsed.render_as_string(hide_password=True),
        where="store url",
    )


def _store_error(error: SQLAlchemyError) -> StoreError:
    """What a user may know of it: neither the statement nor where the database is."""
    found = _first_line(error)
    if any(words in found for words in ("database or disk is full", "No space left on device", "could not extend")):
        return OutOfDiskError(expected="room for another row", found="a full disk", where="database")
    return StoreError(expected="a database that answers", found=found, where="database")


def _first_line(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_sqlite` does
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    # Entering this mode, as the first connection to a new file does, is refused at once while others are entering it:
    # SQLite does not apply the busy timeout here (seen about once in 300 with eight processes).
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and then writes fails at once when somebody else wrote in between,
    # whatever the busy timeout; BEGIN IMMEDIATE waits for its turn instead.
    writes = connection.get_execution_options().get(_WRITES, True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
