"""The state machine of jobs: every way from one state to the next, and what must happen on the way.

    queued  -> running                       claimed (in leases.py, one statement)
    queued  -> cancelled                     at once when asked for
    running -> succeeded | failed | cancelled
    running -> queued | paused               released, lost with attempts left, or failed and worth another attempt
    paused  -> queued | cancelled

A cancel request outlives the attempt: a job that would go back to the queue is cancelled instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, update

from mtnas.errors import ConflictError
from mtnas.store.jobs.settling import settle
from mtnas.store.records import FailureKind, JobHead, JobState, Json
from mtnas.store.sql.clock import now
from mtnas.store.sql.record_columns import as_record, columns_of
from mtnas.store.tables import EVENTS, JOBS

J = TypeVar("J", bound=JobHead)

NEXT: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
        JobState.RUNNING: frozenset(JobState) - {JobState.RUNNING},
        JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
        JobState.SUCCEEDED: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.CANCELLED: frozenset(),
    }
)


def state_after_release(job: JobHead) -> JobState:
    """Where a running job goes when its worker gives it back, or somebody lost it."""
    if job.cancel_requested:
        return JobState.CANCELLED
    return JobState.PAUSED if job.pause_requested else JobState.QUEUED


def state_after_bad_end(job: JobHead) -> JobState:
    """Where a running job goes when its attempt ended badly and another one may help."""
    if not job.cancel_requested and job.attempts_used + 1 >= job.max_attempts:
        return JobState.FAILED
    return state_after_release(job)


def move(
    connection: Connection,
    job: J,
    to: JobState,
    *,
    attempts_used: int = 0,
    failure_kind: FailureKind | None = None,
    failure: Json | None = None,
) -> J:
    """Bring a job, whose row this transaction has locked, into another state, and tell it as an event.

    Args:
        attempts_used: how many attempts to write off.
        failure_kind: why it fails, or why an attempt is repeated; stored in the job if `to` is failed.
        failure: the problem document to that.

    Raises:
        ConflictError: the state machine has no such way.
    """
    if to not in NEXT[job.state] or to is JobState.RUNNING:
        before = " or ".join(state for state in JobState if to in NEXT[state])
        raise ConflictError(expected=f"a job that is {before}", found=job.state.value, where=f"job {job.id}")
    failed = to is JobState.FAILED
    statement = (
        update(JOBS)
        .where(JOBS.c.id == job.id, JOBS.c.state == job.state)
        .values(
            state=to,
            worker=None,
            lease_deadline=None,
            pause_requested=False,
            attempts_used=JOBS.c.attempts_used + attempts_used,
            failure_kind=failure_kind if failed else None,
            failure=failure if failed else None,
            finished_at=now() if to.is_final else None,
        )
        .returning(*columns_of(type(job), JOBS))
    )
    moved = as_record(type(job), connection.execute(statement).one())
    settle(connection, moved)
    tell_state(connection, moved, failure_kind=failure_kind, failure=failure)
    return moved


def tell_state(
    connection: Connection, job: JobHead, *, failure_kind: FailureKind | None = None, failure: Json | None = None
) -> None:
    """Append the event of a job's new state."""
    payload: dict[str, Any] = {"state": job.state, "attempt": job.attempt}
    if job.worker is not None:
        payload["worker"] = job.worker
    if failure_kind is not None:
        payload |= {"failure_kind": failure_kind, "failure": failure}
    append_event(connection, job.id, "state", payload)


def append_event(connection: Connection, job_id: str, kind: str, payload: Json) -> int:
    """Add the job's next event. Its seq comes from the job's row, which stays locked until commit: no gaps, and
    nobody ever sees an event before an earlier one."""
    statement = (
        update(JOBS)
        .where(JOBS.c.id == job_id)
        .values(last_event=JOBS.c.last_event + 1, updated_at=JOBS.c.updated_at)  # the change told of has set it
    )
    seq = connection.execute(statement.returning(JOBS.c.last_event)).scalar_one()
    connection.execute(insert(EVENTS).values(job_id=job_id, seq=seq, kind=kind, payload=payload))
    return int(seq)
