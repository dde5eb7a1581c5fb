"""Searches that have ended: what extensions, reports and added tasks build on."""

from __future__ import annotations

from mtnas.errors import ConflictError
from mtnas.store import JobKind, JobRecord, JobState, Store
from mtnas.store.jobs.settling import failed_with_job
from mtnas.trials import TrialState


def ended_search(store: Store, job_id: str) -> JobRecord:
    """The job, a search or an extension of one, which has succeeded or leaves trials to go on from.

    Raises:
        NotFoundError: no such job.
        ConflictError: it is no search, has not ended, or ended badly before any trial was complete.
    """
    job = _search(store, job_id)
    where = f"job {job.id}"
    if not job.state.is_final:
        ended = " or ".join(state for state in JobState if state.is_final)
        raise ConflictError(expected=f"a job that is {ended}", found=job.state.value, where=where)
    if job.state is not JobState.SUCCEEDED and not store.trials.counts(job.id)[TrialState.COMPLETE]:
        raise ConflictError(expected="a job with complete trials (or retry it)", found="none", where=where)
    return job


def finished_search(store: Store, job_id: str) -> JobRecord:
    """The job, a search or an extension of one, which has succeeded.

    Raises:
        NotFoundError: no such job.
        ConflictError: it is no search, or has not succeeded.
    """
    job = _search(store, job_id)
    if job.state is not JobState.SUCCEEDED:
        expected = f"a job that is {JobState.SUCCEEDED}"
        raise ConflictError(expected=expected, found=job.state.value, where=f"job {job.id}")
    return job


def _search(store: Store, job_id: str) -> JobRecord:
    job = store.jobs.get(job_id)
    if job.kind not in (JobKind.SEARCH, JobKind.EXTEND):
        raise ConflictError(expected="a job of kind search or extend", found=job.kind.value, where=f"job {job.id}")
    return job


def num_searched(store: Store, job_id: str) -> int:
    """Trials that the job's search has brought to an end; 0 if none of them is complete.

    Those that failed with the job do not count: they are run again by whatever goes on from it.
    """
    trials = store.trials.list(job_id, phase="search", limit=None)
    ended = [trial for trial in trials if not failed_with_job(trial)]
    return len(ended) if any(trial.state is TrialState.COMPLETE for trial in ended) else 0
