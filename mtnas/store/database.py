"""The engine and the only two ways to a connection: `read()` and `write()`. Nothing else in the store commits."""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from mtnas.errors import ConflictError, OutOfDiskError, SpecError, StoreError
from mtnas.store.sql.finite_json import dumps

BUSY_TIMEOUT_S = 30.0
MOST_WRITERS = 16
"""Transactions of one process that write, or wait to, at one time."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of system errors that say so."""
_WRITES = "mtnas_writes"  # execution option: this transaction will write


class Database:
    """One SQLite file or PostgreSQL database, and how this process reaches it. Threads may share it."""

    def __init__(self, url: str, *, patience_s: float = BUSY_TIMEOUT_S) -> None:
        """Prepare to connect to `url`; nothing is opened yet.

        Args:
            url: `sqlite:////folder/file.db` (the folder is made if it is missing) or `postgresql://...`.
            patience_s: how long to wait for a connection, and in SQLite for others to have written.

        Raises:
            SpecError: another kind of database, or SQLite in memory, which processes cannot share.
        """
        parsed = _checked(url)
        self.where = parsed.render_as_string(hide_password=True)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine: Engine = _engine(parsed, patience_s=patience_s)
        # In SQLite writers wait for each other, with a connection each; readers need not, and take connections of
        # their own. No more writers wait than leave the web process's threads to readers.
        self._readers = _engine(parsed, patience_s=patience_s) if self.is_sqlite else self.engine
        self._places = threading.BoundedSemaphore(MOST_WRITERS)
        self._patience_s = patience_s

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing.

        Raises:
            StoreError: the database does not answer; a retry may help.
        """
        with self._transaction(self._readers, writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends and rolls back when it raises.

        In SQLite it holds the write lock from its first statement, so it never fails half way for another writer.

        Raises:
            ConflictError: what was written contradicts what the database holds.
            StoreError: the database does not answer, or its disk is full; a retry may help.
        """
        if not self._places.acquire(timeout=self._patience_s / 4):
            raise StoreError(expected="a place in the queue of writers", found="too many waiting", where="database")
        try:
            with self._transaction(self.engine, writes=True) as connection:
                yield connection
        finally:
            self._places.release()

    @contextmanager
    def _transaction(self, engine: Engine, *, writes: bool) -> Iterator[Connection]:
        try:
            with engine.connect() as connection:
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
        self._readers.dispose()


def _engine(url: URL, *, patience_s: float) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(
        url,
        connect_args={"timeout": patience_s} if is_sqlite else {"connect_timeout": 5},
        json_serializer=dumps,
        json_deserializer=json.loads,
        pool_pre_ping=not is_sqlite,
        pool_size=MOST_WRITERS,
        max_overflow=MOST_WRITERS,
        pool_timeout=patience_s,
    )
    if is_sqlite:
        event.listen(engine, "connect", partial(_prepare_sqlite, patience_s))
        event.listen(engine, "begin", _begin_sqlite)
    return engine


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


def _prepare_sqlite(patience_s: float, connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_sqlite` does
    connection.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}")
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
