"""Brings a database to the schema of this version; several processes may try at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text

from mtnas.errors import StoreError
from mtnas.store.database import Database

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 6_213_727_300_146  # any number, but everywhere the same: "mtnas" is migrating


def migrate(database: Database) -> None:
    """Apply the migrations that are missing, all in one transaction.

    Raises:
        StoreError: the database belongs to a later version of mtnas, or does not answer.
    """
    head = _script_directory().get_current_head()
    with database.read() as connection:
        if _revision(connection) == head:
            return
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        try:
            command.upgrade(configuration, "head")
        except CommandError as error:
            raise StoreError(
                expected=f"a schema up to revision {head}", found=str(error), where=database.where
            ) from error


def check_revision(database: Database) -> None:
    """Prove that the database answers and has the schema of this version.

    Raises:
        StoreError: it does not.
    """
    revision, head = revisions(database)
    if revision != head:
        raise StoreError(expected=f"schema revision {head}", found=str(revision), where=database.where)


def revisions(database: Database) -> tuple[str | None, str]:
    """The revision that the database has, and the one that this version needs.

    Raises:
        StoreError: it does not answer.
    """
    head = _script_directory().get_current_head()
    assert head is not None, "there are migrations"
    with database.read() as connection:
        return _revision(connection), head


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _script_directory() -> ScriptDirectory:
    return ScriptDirectory.from_config(_configuration())


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return configuration
