"""Workers as the store knows them: each tells that it is there, and is forgotten when it has long been silent."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from mtnas.store.database import Database
from mtnas.store.records import JobKind, WorkerRecord
from mtnas.store.sql.clock import seconds_from_now
from mtnas.store.sql.insertion import insert_or_replace
from mtnas.store.sql.record_columns import as_record
from mtnas.store.tables import WORKERS

SILENT_S = 60.0
"""Seconds after which a worker that was not heard of counts as gone."""
_FORGOTTEN_S = 86_400.0


class Workers:
    """The workers of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, name: str, *, version: str, kinds: Sequence[JobKind], devices: Sequence[str]) -> None:
        """Tell that a worker is there, and what it can do. Forgets others that were silent for a day."""
        row = {"name": name, "version": version, "kinds": [*kinds], "devices": [*devices]}  # and the time of this beat
        with self._database.write() as connection:
            insert_or_replace(connection, WORKERS, [row])
            connection.execute(delete(WORKERS).where(WORKERS.c.beat_at < seconds_from_now(-_FORGOTTEN_S)))

    def leave(self, name: str) -> None:
        """Tell that a worker is there no more."""
        with self._database.write() as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.name == name))

    def list(self, *, silent_s: float = SILENT_S) -> tuple[WorkerRecord, ...]:
        """Workers by name; `is_alive` is false for those that were silent for so many seconds."""
        alive = (WORKERS.c.beat_at > seconds_from_now(-silent_s)).label("is_alive")
        with self._database.read() as connection:
            rows = connection.execute(select(*WORKERS.columns, alive).order_by(WORKERS.c.name))
            return tuple(as_record(WorkerRecord, row) for row in rows)
