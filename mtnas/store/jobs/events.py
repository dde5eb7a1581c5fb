"""Events: what happened to a job, in order and without gaps."""

from __future__ import annotations

from sqlalchemy import select

from mtnas.store.database import Database
from mtnas.store.result_records import EventRecord
from mtnas.store.sql.record_columns import as_record, columns_of
from mtnas.store.tables import EVENTS
from mtnas.store.viewer import ANYBODY, Viewer


class Events:
    """The events of a store, to read; `transitions.append_event` writes them."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def after(self, job_id: str, seq: int = 0, *, limit: int = 500) -> tuple[EventRecord, ...]:
        """Events of a job that came after its event `seq`, oldest first; none for an unknown job.

        Their numbers follow each other, so a reader that continues after the last one it saw misses none.
        """
        query = (
            select(*columns_of(EventRecord, EVENTS))
            .where(EVENTS.c.job_id == job_id, EVENTS.c.seq > seq, self._viewer.of_job(job_id))
            .order_by(EVENTS.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(as_record(EventRecord, row) for row in connection.execute(query))
