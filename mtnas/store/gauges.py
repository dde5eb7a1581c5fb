"""Gauges: what somebody who watches the service wants to see at a glance, read in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from mtnas.store.database import Database
from mtnas.store.records import JobKind, JobState
from mtnas.store.sql.clock import now, seconds_from_now
from mtnas.store.tables import EVENTS, JOBS, WORKERS
from mtnas.store.workers import SILENT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the gauges show.

    Attributes:
        jobs: how many are in each state.
        queued: how many of each kind wait.
        oldest_queued_s: how long the oldest of each kind has waited.
        lease_left_s: seconds until each running job's lease lapses, by job; negative once it has.
        phase_s: seconds that each running job has been in its phase, by job and phase.
        candidate_steps_per_s: of all running jobs, as each last told.
        workers: how many are alive, and how many were heard of within a day and are not.
    """

    jobs: Mapping[JobState, int]
    queued: Mapping[JobKind, int]
    oldest_queued_s: Mapping[JobKind, float]
    lease_left_s: Mapping[str, float]
    phase_s: Mapping[tuple[str, str], float]
    candidate_steps_per_s: float
    workers: tuple[int, int]


class Gauges:
    """The gauges of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Reading:
        """Look once."""
        with self._database.read() as connection:
            moment = connection.execute(select(now())).scalar_one()
            queued = select(JOBS.c.kind, func.count(), func.min(JOBS.c.created_at))
            queued = queued.where(JOBS.c.state == JobState.QUEUED).group_by(JOBS.c.kind)
            waiting = [tuple(row) for row in connection.execute(queued)]
            counts = select(JOBS.c.state, func.count()).where(JOBS.c.deleted_at.is_(None)).group_by(JOBS.c.state)
            counted = {row[0]: row[1] for row in connection.execute(counts)}
            running = select(JOBS.c.id, JOBS.c.phase, JOBS.c.lease_deadline, JOBS.c.progress)
            at_work = list(connection.execute(running.where(JOBS.c.state == JobState.RUNNING)))
            began = _phases_began(connection)
            alive = func.coalesce(func.sum(case((WORKERS.c.beat_at > seconds_from_now(-SILENT_S), 1), else_=0)), 0)
            num_alive, num_known = connection.execute(select(alive, func.count()).select_from(WORKERS)).one()
        return Reading(
            jobs={state: counted.get(state, 0) for state in JobState},
            queued={kind: next((row[1] for row in waiting if row[0] is kind), 0) for kind in JobKind},
            oldest_queued_s={row[0]: (moment - row[2]).total_seconds() for row in waiting},
            lease_left_s={row.id: (row.lease_deadline - moment).total_seconds() for row in at_work},
            phase_s={
                (row.id, row.phase): (moment - began[row.id]).total_seconds() for row in at_work if row.id in began
            },
            candidate_steps_per_s=sum(float(row.progress.get("candidate_steps_per_s") or 0.0) for row in at_work),
            workers=(int(num_alive), int(num_known) - int(num_alive)),
        )


def _phases_began(connection: Connection) -> Mapping[str, datetime]:
    running = select(JOBS.c.id).where(JOBS.c.state == JobState.RUNNING)
    last = select(EVENTS.c.job_id, func.max(EVENTS.c.at)).where(EVENTS.c.kind == "phase", EVENTS.c.job_id.in_(running))
    return {row[0]: row[1] for row in connection.execute(last.group_by(EVENTS.c.job_id))}
