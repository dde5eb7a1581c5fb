"""Rows that name files: how a row comes to name one, and how files that no row names are removed.

The table `artifacts` has a row for every file that another row names, and the others refer to it by foreign key. Both
sides hold off each other: whoever refers writes into that table first and looks for the file second; whoever collects
locks the table first and removes files second. (SQLite has one writer at a time anyway.)
"""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, ForeignKey, delete, exists, or_, select, text

from mtnas.store.database import Database
from mtnas.store.files.artifacts import Artifacts
from mtnas.store.sql.clock import seconds_from_now
from mtnas.store.sql.insertion import insert_missing
from mtnas.store.tables import ARTIFACTS, METADATA


def refer_to(connection: Connection, artifacts: Artifacts, sha256: str) -> None:
    """Make sure that rows of this transaction may name the file.

    Raises:
        NotFoundError: there is no such file.
    """
    size_bytes = artifacts.path(sha256).stat().st_size
    insert_missing(connection, ARTIFACTS, [{"sha256": sha256, "size_bytes": size_bytes}])
    artifacts.path(sha256)  # again, now that no collector can come between


def collect_garbage(database: Database, artifacts: Artifacts, *, older_than_s: float) -> tuple[str, ...]:
    """Remove files that no row names and that were stored more than `older_than_s` ago.

    The age must exceed the time between storing a file and writing the row that names it.

    Returns:
        Names of the removed files, those that were never finished included.
    """
    with database.write() as connection:
        _lock(connection)
        old = ARTIFACTS.c.created_at <= seconds_from_now(-older_than_s)
        connection.execute(delete(ARTIFACTS).where(~_is_named(), old))
    stored_before = time.time() - older_than_s
    with database.write() as connection:
        _lock(connection)
        named = set(connection.execute(select(ARTIFACTS.c.sha256)).scalars())
        garbage = [path for path in artifacts.stored() if path.name not in named]
        return tuple(path.name for path in (*garbage, *artifacts.unfinished()) if _remove(path, stored_before))


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {ARTIFACTS.name} IN SHARE ROW EXCLUSIVE MODE"))


def _is_named() -> ColumnElement[bool]:
    """Whether any foreign key of the schema points to the artifact."""
    naming = (key.parent for table in METADATA.tables.values() for key in table.foreign_keys if _is_ours(key))
    return or_(*(exists().where(column == ARTIFACTS.c.sha256) for column in naming))


def _is_ours(key: ForeignKey) -> bool:
    return key.column is ARTIFACTS.c.sha256


def _remove(path: Path, stored_before: float) -> bool:
    try:
        if path.stat().st_mtime > stored_before:
            return False
        path.unlink()
    except FileNotFoundError:  # whoever was writing it has finished or given up
        return False
    return True
