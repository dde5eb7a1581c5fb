"""Jobs come into being: one row and one event, or the job that an idempotency key stands for already."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from mtnas.errors import SpecError
from mtnas.store.jobs.transitions import tell_state
from mtnas.store.quotas import Quota, check_quota
from mtnas.store.records import JobKind, JobRecord, JobState, Json
from mtnas.store.sql.finite_json import clean, clean_text
from mtnas.store.sql.identifiers import new_id
from mtnas.store.sql.insertion import insert_missing
from mtnas.store.sql.record_columns import as_record, columns_of, found
from mtnas.store.tables import JOBS

_COLUMNS = columns_of(JobRecord, JOBS)
SHORT_KINDS = (JobKind.PROFILE, JobKind.EXPORT)
SHORT_FIRST = -100
"""Of jobs that take minutes where searches take hours: they overtake these."""


def insert_job(
    connection: Connection,
    *,
    kind: JobKind,
    name: str,
    spec: Json,
    owner: str,
    quota: Quota | None = None,
    idempotency_key: str | None = None,
    max_attempts: int = 3,
    extends: str | None = None,
    precedence: int | None = None,
) -> tuple[JobRecord, bool]:
    """`Jobs.submit` within a transaction that makes more than the job."""
    if max_attempts < 1:
        raise ValueError(f"max_attempts must be at least 1, found {max_attempts}")
    key = None if idempotency_key is None else clean_text(idempotency_key)
    row = {
        "id": new_id(),
        "kind": kind,
        "name": clean_text(name),
        "owner": owner,
        "spec": spec,
        "idempotency_key": key,
        "state": JobState.QUEUED,
        "progress": {},
        "attempt": 0,
        "attempts_used": 0,
        "max_attempts": max_attempts,
        "cancel_requested": False,
        "pause_requested": False,
        "last_event": 0,
        "extends": extends,
        "precedence": (SHORT_FIRST if kind in SHORT_KINDS else 0) if precedence is None else precedence,
        "progressed": False,
    }
    if key is None or not _has_key(connection, owner, key):
        check_quota(connection, owner, quota)
    insert_missing(connection, JOBS, [row])
    same = JOBS.c.id == row["id"] if key is None else (JOBS.c.owner == owner) & (JOBS.c.idempotency_key == key)
    job = as_record(JobRecord, connection.execute(select(*_COLUMNS).where(same)).one())
    if job.id == row["id"]:
        tell_state(connection, job)
        return job, True
    if (job.kind, job.name, job.spec, job.extends) != (kind, row["name"], clean(spec), extends):
        raise SpecError(
            expected=f"the request that this key was used for first (job {job.id})",
            found="another request",
            where=f"idempotency key {key!r}",
        )
    return job, False


def _has_key(connection: Connection, owner: str, key: str) -> bool:
    query = select(JOBS.c.id).where(JOBS.c.owner == owner, JOBS.c.idempotency_key == key)
    return connection.execute(query).one_or_none() is not None


def read_job(connection: Connection, job_id: str, *, owner: str | None = None, lock: bool = False) -> JobRecord:
    """`Jobs.get` within a transaction, which may lock the row to change it."""
    query = named(select(*_COLUMNS), job_id, owner=owner)
    if lock:
        query = query.with_for_update()
    return found(JobRecord, connection.execute(query).one_or_none(), noun="job", name=job_id)


def named(query: Select[Any], job_id: str, *, owner: str | None) -> Select[Any]:
    """`query` for one job that was not put aside, which has to be of that owner if one is given."""
    query = query.where(JOBS.c.id == job_id, JOBS.c.deleted_at.is_(None))
    return query if owner is None else query.where(JOBS.c.owner == owner)
