"""Trials: at most one row per (job, number), written once when it is proposed and once when it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, func, select, update

from mtnas.errors import ConflictError, NotFoundError, SpecError
from mtnas.store.database import Database
from mtnas.store.records import JobHead
from mtnas.store.result_records import NewTrial, TrialRecord, TrialResult
from mtnas.store.sql.clock import now
from mtnas.store.sql.finite_json import clean
from mtnas.store.sql.insertion import insert_missing
from mtnas.store.sql.record_columns import AnyRow, missing
from mtnas.store.sql.sorting import checked_figures, in_order
from mtnas.store.tables import JOBS, TRIALS
from mtnas.store.viewer import ANYBODY, Viewer
from mtnas.trials import Place, TrialState

_PLACE = ("node", "process", "device", "actor")
_COLUMNS = [TRIALS.c[field.name] for field in fields(TrialRecord) if field.name != "place"] + [
    TRIALS.c[name] for name in _PLACE
]


class Trials:
    """The trials of a store, to read."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def list(
        self,
        job_id: str,
        *,
        phase: str | None = None,
        state: TrialState | None = None,
        sort: str = "number",
        limit: int | None = 100,
        offset: int = 0,
    ) -> tuple[TrialRecord, ...]:
        """Trials of a job, sorted by number or by one of their values; `limit=None` gives all.

        Raises:
            SpecError: no trial has the figure to sort by.
        """
        query = select(*_COLUMNS).where(TRIALS.c.job_id == job_id, self._viewer.of_job(job_id))
        if phase is not None:
            query = query.where(TRIALS.c.phase == phase)
        if state is not None:
            query = query.where(TRIALS.c.state == state)
        with self._database.read() as connection:
            query = in_order(connection, query, TRIALS, sort=sort, columns=("number",))
            return tuple(_trial(row) for row in connection.execute(query.limit(limit).offset(offset)))

    def of_numbers(self, job_id: str, numbers: Sequence[int]) -> tuple[TrialRecord, ...]:
        """The trials of these numbers that there are, by number."""
        query = select(*_COLUMNS).where(
            TRIALS.c.job_id == job_id, TRIALS.c.number.in_(numbers), self._viewer.of_job(job_id)
        )
        with self._database.read() as connection:
            return tuple(_trial(row) for row in connection.execute(query.order_by(TRIALS.c.number)))

    def get(self, job_id: str, number: int) -> TrialRecord:
        """One trial.

        Raises:
            NotFoundError: there is none.
        """
        query = select(*_COLUMNS).where(
            TRIALS.c.job_id == job_id, TRIALS.c.number == number, self._viewer.of_job(job_id)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise missing("trial", f"{job_id}/{number}")
        return _trial(row)

    def counts(self, job_id: str, *, phase: str | None = None) -> Mapping[TrialState, int]:
        """How many trials of a job are in each state."""
        query = select(TRIALS.c.state, func.count()).where(TRIALS.c.job_id == job_id, self._viewer.of_job(job_id))
        query = query.group_by(TRIALS.c.state)
        if phase is not None:
            query = query.where(TRIALS.c.phase == phase)
        with self._database.read() as connection:
            counted = {row[0]: row[1] for row in connection.execute(query)}
        return {state: counted.get(state, 0) for state in TrialState}


def add_trials(connection: Connection, job: JobHead, trials: Sequence[NewTrial]) -> None:
    """Write the trials whose numbers are free; a number that exists must have the same candidate.

    Raises:
        ConflictError: it has another one, so that somebody would count one of the two wrongly.
    """
    rows = [
        {
            "job_id": job.id,
            "number": trial.number,
            "phase": trial.phase,
            "label": trial.label,
            "state": TrialState.RUNNING,
            "candidate": clean(trial.candidate),
            "route_digest": trial.route_digest,
            "values": {},
            "evaluations": [],
            "notes": trial.notes,
            "attempt": job.attempt,
        }
        for trial in trials
    ]
    insert_missing(connection, TRIALS, rows)
    numbers = [trial.number for trial in trials]
    query = select(TRIALS.c.number, TRIALS.c.candidate).where(TRIALS.c.job_id == job.id, TRIALS.c.number.in_(numbers))
    stored = {row.number: row.candidate for row in connection.execute(query)}
    for row in rows:
        if stored[row["number"]] != row["candidate"]:
            raise ConflictError(
                expected="the candidate that the trial has already",
                found="another candidate",
                where=f"job {job.id}, trial {row['number']}",
            )


def start_trials(connection: Connection, job: JobHead, numbers: Sequence[int], place: Place) -> None:
    """Note where trials run, and since when they do for the first time; trials that have ended stay as they are."""
    connection.execute(
        update(TRIALS)
        .where(TRIALS.c.job_id == job.id, TRIALS.c.number.in_(numbers), TRIALS.c.state == TrialState.RUNNING)
        .values(started_at=func.coalesce(TRIALS.c.started_at, now()), **_place_columns(place))
    )


def finish_trials(connection: Connection, job: JobHead, results: Sequence[TrialResult]) -> tuple[int, ...]:
    """Write how trials ended. The first end of a trial counts; later ones change nothing.

    Returns:
        Numbers of the trials that ended just now.

    Raises:
        NotFoundError: a trial that was never added.
        SpecError: a result that is no end, or a value that is no number.
    """
    ended = [result for result in results if _finish(connection, job, result)]
    spent = sum(device_seconds(result) for result in ended)
    if spent:
        connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(device_seconds=JOBS.c.device_seconds + spent))
    return tuple(result.number for result in ended)


def device_seconds(result: TrialResult) -> float:
    """What a trial took of its device, as its evaluations say: the last of them has seen all of it."""
    costs = [evaluation.get("costs", {}).get("device_seconds") for evaluation in result.evaluations]
    return max((float(cost) for cost in costs if cost is not None and math.isfinite(cost)), default=0.0)


def _finish(connection: Connection, job: JobHead, result: TrialResult) -> bool:
    where = f"job {job.id}, trial {result.number}"
    if result.state is TrialState.RUNNING:
        raise SpecError(expected="complete, pruned or failed", found=result.state.value, where=where)
    values: dict[str, Any] = {
        "state": result.state,
        "values": checked_figures(result.values, where=where),
        "evaluations": list(result.evaluations),
        "failure": result.failure,
        "finished_at": now(),
    }
    if result.place is not None:
        values |= _place_columns(result.place)
    if result.started_at is not None:
        values["started_at"] = result.started_at
    if result.notes is not None:
        values["notes"] = result.notes
    this = (TRIALS.c.job_id == job.id, TRIALS.c.number == result.number)
    ended = connection.execute(update(TRIALS).where(*this, TRIALS.c.state == TrialState.RUNNING).values(values))
    if ended.rowcount:
        return True
    if connection.execute(select(TRIALS.c.number).where(*this)).one_or_none() is None:
        raise NotFoundError(expected="a trial that was added before", found="none", where=where)
    return False


def _place_columns(place: Place) -> dict[str, str | int | None]:
    return {name: getattr(place, name) for name in _PLACE}


def _trial(row: AnyRow) -> TrialRecord:
    values = dict(row._mapping)
    node, process, device, actor = (values.pop(name) for name in _PLACE)
    place = None if node is None else Place(node=node, process=process, device=device, actor=actor)
    return TrialRecord(**values | {"place": place, "evaluations": tuple(values["evaluations"])})
