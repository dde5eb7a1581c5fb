"""Looking after a store: its revision, copies of it, and whether it is whole. For whoever administers it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url, select

from mtnas.errors import ConflictError, SpecError, StoreError
from mtnas.store.database import Database
from mtnas.store.files.artifacts import Artifacts
from mtnas.store.migration import revisions
from mtnas.store.tables import ARTIFACTS


def current_revision(url: str) -> tuple[str | None, str]:
    """The revision that a database has (`None`: no tables yet) and the one of this version; changes nothing.

    Raises:
        StoreError: it does not answer.
    """
    database = Database(url)
    try:
        return revisions(database)
    finally:
        database.close()


def backup(url: str, target: Path) -> int:
    """Copy a SQLite database as it is at one moment, while others write; gives its size in bytes.

    Raises:
        SpecError: another kind of database.
        ConflictError: the target is there already.
    """
    source = _file(url)
    if target.exists():
        raise ConflictError(expected="a file that is not there yet", found="one", where=str(target))
    aside = target.with_name(f"{target.name}.unfinished")
    aside.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(aside)) as writing:
        reading.backup(writing)
    _keep(aside, target)
    return target.stat().st_size


def restore(url: str, source: Path) -> Path | None:
    """Put a copy in a SQLite database's place; what was there is kept beside it. Nobody may use it meanwhile.

    Returns:
        Where what was there is now.

    Raises:
        SpecError: another kind of database, or a copy that is none.
        ConflictError: somebody uses the database.
    """
    target = _file(url)
    if not source.is_file() or (problem := _damage(source)) is not None:
        found = "none" if not source.is_file() else str(problem)
        raise SpecError(expected="a whole copy of a database (mtnas db backup)", found=found, where=str(source))
    former = None
    if target.exists():
        _refuse_in_use(target)
        former = target.with_name(f"{target.name}.before-restore")
        backup(url, former)
        for ending in ("-wal", "-shm"):
            target.with_name(target.name + ending).unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.unfinished")
    shutil.copyfile(source, aside)
    _keep(aside, target)
    return former


def damage(url: str) -> str | None:
    """What is wrong with the file of a SQLite database; `None` if nothing, and for other databases, which see to it."""
    return _damage(_file(url)) if make_url(url).get_backend_name() == "sqlite" else None


def missing_files(url: str, artifacts: Path) -> tuple[str, ...]:
    """Names of files that rows name and that are not there, or not as long as the row says."""
    database, files = Database(url), Artifacts(artifacts)
    try:
        with database.read() as connection:
            named = list(connection.execute(select(ARTIFACTS.c.sha256, ARTIFACTS.c.size_bytes)))
    finally:
        database.close()
    places = ((name, size, files.place_of(name)) for name, size in named)
    return tuple(name for name, size, place in places if not place.is_file() or place.stat().st_size != size)


def _file(url: str) -> Path:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise SpecError(
            expected="a SQLite database (of PostgreSQL, pg_dump and pg_restore make and restore copies)",
            found=parsed.get_backend_name(),
            where="database",
        )
    return Path(parsed.database)


def _damage(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            said = connection.execute("PRAGMA quick_check").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'jobs'").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return str(error)
    if said != "ok":
        return str(said)
    return None if tables else "no table of jobs"


def _refuse_in_use(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
            if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise sqlite3.OperationalError("database is locked")
    except sqlite3.OperationalError as error:
        raise ConflictError(expected="a service that was ended", found=str(error), where=str(path)) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(expected="a database", found=str(error), where=str(path)) from error


def _keep(aside: Path, target: Path) -> None:
    with aside.open("rb+") as file:
        os.fsync(file.fileno())
    aside.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
