"""Jobs, what happened to them, and the workers that take them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    false,
)

from mtnas.store.records import FailureKind, JobKind, JobState
from mtnas.store.sql.clock import UtcDateTime
from mtnas.store.tables.schema import METADATA, JsonColumn, choice, created, updated

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", choice(JobKind, "kind"), nullable=False),
    Column("name", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("spec", JsonColumn, nullable=False),
    Column("idempotency_key", String),
    Column("state", choice(JobState, "state"), nullable=False),
    Column("phase", String),
    Column("progress", JsonColumn, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("attempts_used", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("worker", String),
    Column("lease_deadline", UtcDateTime),
    Column("cancel_requested", Boolean, nullable=False),
    Column("pause_requested", Boolean, nullable=False),
    Column("failure_kind", choice(FailureKind, "failure_kind")),
    Column("failure", JsonColumn),
    Column("last_event", Integer, nullable=False),  # seq of the job's newest event
    created("created_at"),
    updated("updated_at"),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("stop", JsonColumn),
    Column("extends", String, index=True),  # a job; no foreign key, for SQLite cannot add one to a table that exists
    Column("precedence", Integer, nullable=False, server_default="0"),
    Column("progressed", Boolean, nullable=False, server_default=false()),  # whether this attempt brought it on
    Column("not_before", UtcDateTime),
    Column("device_seconds", Float, nullable=False, server_default="0"),  # of the trials that have ended
    Column("labels", JsonColumn, nullable=False, server_default="{}"),
    Column("note", String),
    Column("deleted_at", UtcDateTime, index=True),  # when it was put aside; it is purged some days later
    UniqueConstraint("owner", "idempotency_key"),
    CheckConstraint("(state = 'running') = (worker IS NOT NULL)", name="running_has_worker"),
    CheckConstraint("(worker IS NULL) = (lease_deadline IS NULL)", name="worker_has_deadline"),
    CheckConstraint("(state = 'failed') = (failure_kind IS NOT NULL)", name="failed_has_kind"),
    CheckConstraint(
        "(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="final_is_finished"
    ),
    Index(None, "state", "id"),
    Index(None, "state", "precedence", "id"),
    Index(None, "owner", "id"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("payload", JsonColumn, nullable=False),
    created("at"),
)

WORKERS = Table(
    "workers",
    METADATA,
    Column("name", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("kinds", JsonColumn, nullable=False),
    Column("devices", JsonColumn, nullable=False),
    created("started_at"),
    updated("beat_at"),
)
