"""Leases: who may work on a job, and until when. The database's clock decides.

A job may be claimed when it is queued. The lease lapses when its deadline has passed and the reaper has seen it; until
then its holder may still renew it or write. What fences a late holder off is the attempt, which every claim raises.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, or_, select, update

from mtnas.errors import LeaseLostError
from mtnas.store.database import Database
from mtnas.store.jobs.transitions import attempts_after_bad_end, move, patience_s, state_after_bad_end, tell_state
from mtnas.store.records import FailureKind, JobHead, JobKind, JobState, Json, Lease, LeaseSignal
from mtnas.store.sql.clock import now, seconds_from_now
from mtnas.store.sql.record_columns import as_record, columns_of
from mtnas.store.tables import JOBS

LEASE_S = 60.0
_COLUMNS = columns_of(JobHead, JOBS)


class Leases:
    """The leases of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, worker: str, *, lease_s: float = LEASE_S, kinds: Collection[JobKind] | None = None) -> Lease | None:
        """Take a queued job, or None if there is none that may begin and that nobody else is just taking.

        The oldest one of the lowest precedence; one whose last attempt failed may have to wait a while.

        Args:
            worker: who works; any text that helps a reader find the process.
            lease_s: seconds until the lease lapses unless renewed.
            kinds: only jobs of these kinds; None means all.
        """
        oldest = (
            select(JOBS.c.id)
            .where(JOBS.c.state == JobState.QUEUED, or_(JOBS.c.not_before.is_(None), JOBS.c.not_before <= now()))
            .order_by(JOBS.c.precedence, JOBS.c.id)
            .limit(1)
        )
        if kinds is not None:
            oldest = oldest.where(JOBS.c.kind.in_(kinds))
        statement = (
            update(JOBS)
            .where(JOBS.c.id == oldest.with_for_update(skip_locked=True).scalar_subquery())
            .values(
                state=JobState.RUNNING,
                attempt=JOBS.c.attempt + 1,
                progressed=False,
                not_before=None,
                worker=worker,
                lease_deadline=seconds_from_now(lease_s),
                started_at=func.coalesce(JOBS.c.started_at, now()),
            )
            .returning(*_COLUMNS)
        )
        with self._database.write() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return None
            job = as_record(JobHead, row)
            tell_state(connection, job)
        assert job.lease_deadline is not None, "the statement above has set it"
        return Lease(job_id=job.id, worker=worker, attempt=job.attempt, deadline=job.lease_deadline)

    def renew(self, lease: Lease, *, lease_s: float = LEASE_S) -> LeaseSignal:
        """Move the deadline to `lease_s` seconds from now, and hear what was asked of the holder.

        Raises:
            LeaseLostError: stop at once.
        """
        with self._database.write() as connection:
            job = prove_held(connection, lease, deadline_s=lease_s)
        assert job.lease_deadline is not None, "running jobs have a deadline (checked by the table)"
        return LeaseSignal(cancel=job.cancel_requested, pause=job.pause_requested, deadline=job.lease_deadline)

    def reap(self, *, wait_s: float = 0.0, worker: str | None = None) -> tuple[JobHead, ...]:
        """End every lease whose deadline has passed: the job goes back to the queue while it has attempts left.

        Args:
            wait_s: how long it waits there after a first attempt in vain; longer after others.
            worker: end the leases of this worker instead, whatever their deadline: its process is known to be dead.

        Returns:
            The jobs in their new state.
        """
        over = JOBS.c.lease_deadline < now() if worker is None else JOBS.c.worker == worker
        expired = (
            select(*_COLUMNS)
            .where(JOBS.c.state == JobState.RUNNING, over)
            .order_by(JOBS.c.id)
            .with_for_update(skip_locked=True)
        )
        with self._database.write() as connection:
            jobs = [as_record(JobHead, row) for row in connection.execute(expired)]
            return tuple(
                move(
                    connection,
                    job,
                    state_after_bad_end(job),
                    attempts_used=attempts_after_bad_end(job),
                    wait_s=0.0 if job.progressed else patience_s(job, wait_s),
                    failure_kind=FailureKind.LOST_WORKER,
                    failure=_lost(job),
                )
                for job in jobs
            )


def prove_held(connection: Connection, lease: Lease, *, deadline_s: float | None = None) -> JobHead:
    """Begin a holder's transaction: lock the job's row and prove that the lease is still held.

    Args:
        deadline_s: move the deadline to so many seconds from now; None leaves it.

    Raises:
        LeaseLostError: the job was given to somebody else, put back, or ended.
    """
    statement = update(JOBS).where(
        JOBS.c.id == lease.job_id, JOBS.c.attempt == lease.attempt, JOBS.c.state == JobState.RUNNING
    )
    moment = now() if deadline_s is None else seconds_from_now(deadline_s)
    changed = {"updated_at": now()} if deadline_s is None else {"lease_deadline": moment}
    row = connection.execute(statement.values(changed).returning(*_COLUMNS)).one_or_none()
    if row is None:
        raise LeaseLostError(
            expected=f"attempt {lease.attempt} of {lease.worker!r} still running",
            found="a job that moved on",
            where=f"job {lease.job_id}",
        )
    return as_record(JobHead, row)


def brought_on(connection: Connection, job: JobHead) -> None:
    """Note that the current attempt has done something that the next one will not have to do."""
    if not job.progressed:
        connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(progressed=True))


def _lost(job: JobHead) -> Json:
    return {
        "title": "The worker was lost",
        "detail": f"Worker {job.worker!r} stopped renewing its lease on attempt {job.attempt}.",
        "worker": job.worker,
        "attempt": job.attempt,
    }
