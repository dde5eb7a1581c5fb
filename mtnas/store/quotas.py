"""Quotas: how much an owner may have at one time, proved in the transaction that makes more."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text, union

from mtnas.errors import QuotaError
from mtnas.store.records import JobState
from mtnas.store.sql.clock import seconds_from_now
from mtnas.store.tables import ARTIFACTS, CHECKPOINTS, DATASET_FILES, DATASETS, EXPORTS, JOBS, UPLOADS

_DAY_S = 86_400.0
_ENDED = [state for state in JobState if state.is_final]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Limits of one owner; ``None`` for none.

    Attributes:
        active_jobs: that have not ended, paused ones included.
        device_seconds: that trials have taken of the owner's jobs of the last ``days``, deleted ones included until
            they are purged.
        size_bytes: of the files that the owner's jobs and data sets keep, and of those that are being sent.
        days: what ``device_seconds`` is counted over.
    """

    active_jobs: int | None = None
    device_seconds: float | None = None
    size_bytes: int | None = None
    days: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an owner has, in the terms of a quota."""

    active_jobs: int
    device_seconds: float
    size_bytes: int


def usage_of(connection: Connection, owner: str, *, days: float) -> Usage:
    """What the owner has now."""
    own = JOBS.c.owner == owner
    active = select(func.count()).where(own, JOBS.c.state.not_in(_ENDED))
    recent = select(func.coalesce(func.sum(JOBS.c.device_seconds), 0.0)).where(
        own, JOBS.c.created_at > seconds_from_now(-days * _DAY_S)
    )
    files = union(
        *(
            select(table.c.artifact).join(JOBS, JOBS.c.id == table.c.job_id).where(own)
            for table in (CHECKPOINTS, EXPORTS)
        ),
        select(DATASET_FILES.c.artifact)
        .join(DATASETS, DATASETS.c.id == DATASET_FILES.c.dataset_id)
        .where(DATASETS.c.owner == owner),
        select(UPLOADS.c.artifact).where(UPLOADS.c.owner == owner),
    ).subquery()
    coming = select(func.coalesce(func.sum(UPLOADS.c.size_bytes), 0)).where(
        UPLOADS.c.owner == owner, UPLOADS.c.artifact.is_(None)
    )
    size = select(func.coalesce(func.sum(ARTIFACTS.c.size_bytes), 0)).where(
        ARTIFACTS.c.sha256.in_(select(files.c.artifact))
    )
    return Usage(
        active_jobs=int(connection.execute(active).scalar_one()),
        device_seconds=float(connection.execute(recent).scalar_one()),
        size_bytes=int(connection.execute(size).scalar_one()) + int(connection.execute(coming).scalar_one()),
    )


def check_quota(connection: Connection, owner: str, quota: Quota | None) -> None:
    """Refuse another active job of the owner; called before there is one.

    Two that ask at one time are told one after the other, so that not both find the last place.

    Raises:
        QuotaError: which limit is reached.
    """
    if quota is None or (quota.active_jobs, quota.device_seconds, quota.size_bytes) == (None, None, None):
        return
    _wait_for_turn(connection, owner)
    has = usage_of(connection, owner, days=quota.days)
    for name, limit, found, more in (
        ("active_jobs", quota.active_jobs, has.active_jobs, "end or cancel one"),
        ("device_seconds", quota.device_seconds, round(has.device_seconds), f"within {quota.days:g} days"),
        ("size_bytes", quota.size_bytes, has.size_bytes, "delete jobs or exports"),
    ):
        if limit is not None and found >= limit:
            raise QuotaError(expected=f"fewer than {limit} ({more})", found=str(found), where=f"quota.{name}")


def check_room(connection: Connection, owner: str, quota: Quota | None, *, more_bytes: int) -> None:
    """Refuse a file for which the owner has no room; called before it is announced.

    Raises:
        QuotaError: there would be more than the limit.
    """
    if quota is None or quota.size_bytes is None:
        return
    _wait_for_turn(connection, owner)
    has = usage_of(connection, owner, days=quota.days).size_bytes
    if has + more_bytes > quota.size_bytes:
        raise QuotaError(
            expected=f"at most {quota.size_bytes} bytes (delete jobs, exports or data sets)",
            found=f"{has}, and {more_bytes} more",
            where="quota.size_bytes",
        )


def _wait_for_turn(connection: Connection, owner: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:owner))"), {"owner": owner})
