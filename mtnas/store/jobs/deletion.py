"""Deleting a job that has ended, with all that it left behind but the note that it has read some test part."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from mtnas.errors import ConflictError
from mtnas.store.records import JobHead, JobState
from mtnas.store.tables import CHECKPOINTS, DATASETS, EVENTS, EXPORTS, JOBS, REPORTS, ROUTES, TRIALS


def check_deletable(connection: Connection, job: JobHead) -> None:
    """Refuse to delete what is needed. The transaction has locked the job's row.

    Raises:
        ConflictError: it has not ended, an extension that has not ended goes on from it, or it holds the profile of a
            data set.
    """
    where = f"job {job.id}"
    if not job.state.is_final:
        ended = " or ".join(state for state in JobState if state.is_final)
        raise ConflictError(expected=f"a job that is {ended}", found=job.state.value, where=where)
    extensions = select(JOBS.c.id).where(JOBS.c.extends == job.id, JOBS.c.finished_at.is_(None)).limit(1)
    if (extension := connection.execute(extensions).scalar()) is not None:
        raise ConflictError(expected="no extension at work", found=f"job {extension}", where=where)
    profiles = select(DATASETS.c.name).where(DATASETS.c.job_id == job.id).limit(1)
    if (name := connection.execute(profiles).scalar()) is not None:
        raise ConflictError(expected="a job that no data set needs", found=f"data set {name!r}", where=where)


def delete_job(connection: Connection, job_id: str) -> None:
    """Delete a job's rows. Its files go with the next collection of garbage.

    That it has read the test part of some data stays noted: how often that part was looked at must not fall.
    """
    for table in (EVENTS, TRIALS, ROUTES, REPORTS, CHECKPOINTS, EXPORTS):
        connection.execute(delete(table).where(table.c.job_id == job_id))
    connection.execute(update(JOBS).where(JOBS.c.extends == job_id).values(extends=None, updated_at=JOBS.c.updated_at))
    connection.execute(delete(JOBS).where(JOBS.c.id == job_id))
