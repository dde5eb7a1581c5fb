"""The state machine of jobs: every way from one state to the next, and what must happen on the way.

    queued  -> running                       claimed (in leases.py, one statement)
    queued  -> cancelled                     at once when asked for
    running -> succeeded | failed | cancelled
    running -> queued | paused               released, lost with attempts left, or failed and worth another attempt
    paused  -> queued | cancelled
    failed | cancelled -> queued             when somebody asks to try again

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
from mtnas.store.sql.clock import now, seconds_from_now
from mtnas.store.sql.record_columns import as_record, columns_of
from mtnas.store.tables import EVENTS, JOBS

J = TypeVar("J", bound=JobHead)

LONGEST_WAIT_S = 600.0

NEXT: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
        JobState.RUNNING: frozenset(JobState) - {JobState.RUNNING},
        JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
        JobState.SUCCEEDED: frozenset(),
        JobState.FAILED: frozenset({JobState.QUEUED}),
        JobState.CANCELLED: frozenset({JobState.QUEUED}),
    }
)


def state_after_release(job: JobHead) -> JobState:
    """Where a running job goes when its worker gives it back, or somebody lost it."""
    if job.cancel_requested:
        return JobState.CANCELLED
    return JobState.PAUSED if job.pause_requested else JobState.QUEUED


def state_after_bad_end(job: JobHead) -> JobState:
    """Where a running job goes when its attempt ended badly and another one may help.

    An attempt that brought the job on does not count: what kills every worker that takes a job brings it no further.
    """
    if not job.cancel_requested and attempts_after_bad_end(job) >= job.max_attempts:
        return JobState.FAILED
    return state_after_release(job)


def attempts_after_bad_end(job: JobHead) -> int:
    """Attempts in a row that ended badly without having brought the job on, once this one has ended badly."""
    return 0 if job.progressed else job.attempts_used + 1


def patience_s(job: JobHead, first_s: float) -> float:
    """How long to wait before the next attempt: ``first_s``, and four times longer after every one in vain."""
    return min(first_s * 4.0**job.attempts_used, LONGEST_WAIT_S)


def move(
    connection: Connection,
    job: J,
    to: JobState,
    *,
    attempts_used: int | None = None,
    wait_s: float = 0.0,
    failure_kind: FailureKind | None = None,
    failure: Json | None = None,
) -> J:
    """Bring a job, whose row this transaction has locked, into another state, and tell it as an event.

    Args:
        attempts_used: attempts in vain from now on; None leaves them as they are.
        wait_s: how long a job in the queue has to wait there at least.
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
            cancel_requested=job.cancel_requested and not job.state.is_final,
            attempts_used=job.attempts_used if attempts_used is None else attempts_used,
            not_before=seconds_from_now(wait_s) if wait_s and to is JobState.QUEUED else None,
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
