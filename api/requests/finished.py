"""Searches that have succeeded: what extensions and added tasks build on."""

from __future__ import annotations

from mtnas.errors import ConflictError
from mtnas.store import JobKind, JobRecord, JobState, Store


def finished_search(store: Store, job_id: str) -> JobRecord:
    """The job, a search or an extension of one.

    Raises:
        NotFoundError: no such job.
        ConflictError: it is no search, or has not succeeded.
    """
    job = store.jobs.get(job_id)
    where = f"job {job.id}"
    if job.kind not in (JobKind.SEARCH, JobKind.EXTEND):
        raise ConflictError(expected="a job of kind search or extend", found=job.kind.value, where=where)
    if job.state is not JobState.SUCCEEDED:
        raise ConflictError(expected=f"a job that is {JobState.SUCCEEDED}", found=job.state.value, where=where)
    return job
