"""The trash: jobs that were put aside. Only who looks for such sees them; they come back, or go for good."""

from __future__ import annotations

from sqlalchemy import select, update

from mtnas.store.database import Database
from mtnas.store.jobs.deletion import check_deletable, delete_job
from mtnas.store.jobs.submission import read_job
from mtnas.store.records import JobRecord
from mtnas.store.sql.clock import now, seconds_from_now
from mtnas.store.tables import JOBS
from mtnas.store.viewer import ANYBODY, Viewer


class Trash:
    """The jobs of a store that were put aside; `Jobs.list(deleted=True)` shows them."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def discard(self, job_id: str, *, owner: str | None = None) -> None:
        """Put a job aside that has ended: it is not there any more, until `restore` or for good after `purge`.

        Raises:
            NotFoundError: no such job.
            ConflictError: it has not ended, or something still needs it.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id, owner=self._viewer.narrowed(owner), lock=True)
            check_deletable(connection, job)
            aside = {"deleted_at": now(), "idempotency_key": None}
            connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(aside))

    def restore(self, job_id: str, *, owner: str | None = None) -> JobRecord:
        """Bring a job back that was put aside, but for its idempotency key. One that was not stays as it is.

        Raises:
            NotFoundError: no such job, or it was purged.
        """
        this = [JOBS.c.id == job_id]
        if (seen := self._viewer.narrowed(owner)) is not None:
            this.append(JOBS.c.owner == seen)
        with self._database.write() as connection:
            connection.execute(update(JOBS).where(*this, JOBS.c.deleted_at.is_not(None)).values(deleted_at=None))
            return read_job(connection, job_id, owner=seen)

    def purge(self, *, older_than_s: float) -> tuple[str, ...]:
        """Delete for good what was put aside longer ago, each job in a transaction of its own; gives their ids."""
        query = select(JOBS.c.id).where(JOBS.c.deleted_at < seconds_from_now(-older_than_s)).order_by(JOBS.c.id)
        with self._database.read() as connection:
            old = list(connection.execute(query).scalars())
        for job_id in old:
            with self._database.write() as connection:
                delete_job(connection, job_id)
        return tuple(old)
