"""What a job leaves behind when it stops running: nothing may look as if somebody were still at it."""

from __future__ import annotations

from sqlalchemy import Connection, delete, update

from mtnas.store.records import JobHead, JobState, Json, WorkState
from mtnas.store.sql.clock import now
from mtnas.store.tables import DATASETS, EXPORTS, TRIALS
from mtnas.trials import TrialState


def settle(connection: Connection, job: JobHead) -> None:
    """Tidy up after `job`, which has just been moved out of a state.

    Back in the queue or paused: trials that were running are deleted, so that the next attempt proposes their numbers
    again; a search is rebuilt from its finished trials, and those stay. Pending exports wait for the next attempt.
    At the end: running trials, pending exports and a pending profile become failed, with the reason.
    """
    running = (TRIALS.c.job_id == job.id, TRIALS.c.state == TrialState.RUNNING)
    if not job.state.is_final:
        connection.execute(delete(TRIALS).where(*running))
        return
    reason = _reason(job)
    connection.execute(
        update(TRIALS)
        .where(*running)
        .values(state=TrialState.FAILED, failure=f"the job ended before the trial did ({job.state})", finished_at=now())
    )
    connection.execute(
        update(EXPORTS)
        .where(EXPORTS.c.job_id == job.id, EXPORTS.c.state == WorkState.PENDING)
        .values(state=WorkState.FAILED, failure=reason, finished_at=now())
    )
    connection.execute(
        update(DATASETS)
        .where(DATASETS.c.job_id == job.id, DATASETS.c.state == WorkState.PENDING)
        .values(state=WorkState.FAILED, failure=reason)
    )


def _reason(job: JobHead) -> Json:
    if job.state is JobState.FAILED and job.failure is not None:
        return job.failure
    return {"title": f"The job {job.state}", "detail": f"Job {job.id} ended ({job.state}) before this was made."}
