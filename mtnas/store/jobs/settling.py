"""What a job leaves behind when it stops running: nothing may look as if somebody were still at it."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection, delete, select, update

from mtnas.store.records import JobHead, JobState, Json
from mtnas.store.result_records import WorkState
from mtnas.store.sql.clock import now
from mtnas.store.tables import DATASETS, EXPORTS, TRIALS
from mtnas.trials import LOST, TrialState

_ENDED_WITH_JOB = "the job ended before the trial did"


class _Ended(Protocol):
    """What is read of a trial."""

    @property
    def state(self) -> TrialState: ...

    @property
    def failure(self) -> str | None: ...

    @property
    def notes(self) -> Json: ...


def failed_with_job(trial: _Ended) -> bool:
    """Whether a trial failed with its job or its processes, and not by itself: it deserves to be run again."""
    if trial.state is not TrialState.FAILED:
        return False
    return bool(trial.notes.get(LOST)) or (trial.failure or "").startswith(_ENDED_WITH_JOB)


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
        .values(state=TrialState.FAILED, failure=f"{_ENDED_WITH_JOB} ({job.state})", finished_at=now())
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


def reopen(connection: Connection, job: JobHead) -> None:
    """Undo what ``settle`` did when the job ended, and forget trials whose processes died: they deserve another one."""
    failed = select(TRIALS.c.number, TRIALS.c.state, TRIALS.c.failure, TRIALS.c.notes).where(
        TRIALS.c.job_id == job.id, TRIALS.c.state == TrialState.FAILED
    )
    for number in [row.number for row in connection.execute(failed) if failed_with_job(row)]:
        connection.execute(delete(TRIALS).where(TRIALS.c.job_id == job.id, TRIALS.c.number == number))
    for table in (EXPORTS, DATASETS):
        statement = update(table).where(table.c.job_id == job.id, table.c.state == WorkState.FAILED)
        connection.execute(statement.values(state=WorkState.PENDING, failure=None))
    connection.execute(
        update(EXPORTS).where(EXPORTS.c.job_id == job.id, EXPORTS.c.state == WorkState.PENDING).values(finished_at=None)
    )


def _reason(job: JobHead) -> Json:
    if job.state is JobState.FAILED and job.failure is not None:
        return job.failure
    return {"title": f"The job {job.state}", "detail": f"Job {job.id} ended ({job.state}) before this was made."}
