"""The tables. A change here needs a migration (`migrations/versions`); a test compares the two."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
)

from mtnas.store.records import FailureKind, JobKind, JobState, TokenRole
from mtnas.store.result_records import RouteRole, WorkState
from mtnas.store.sql.clock import UtcDateTime, now
from mtnas.trials import TrialState

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQL's NULL where a record says None, never JSON's null. Kept as text by both databases: PostgreSQL's JSONB would give
# 2.930751374890639e+16 back as an integer that differs from it.
JsonColumn = JSON(none_as_null=True)


def _choice(choices: type[StrEnum], name: str) -> Enum:
    """Text that a check constraint holds to the values of an enumeration."""
    return Enum(
        choices,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda kind: [choice.value for choice in kind],
    )


def _created(name: str) -> Column[datetime]:
    """The database's time when the row is inserted."""
    return Column(name, UtcDateTime, nullable=False, default=now())


def _updated(name: str) -> Column[datetime]:
    """The database's time when the row is inserted or changed."""
    return Column(name, UtcDateTime, nullable=False, default=now(), onupdate=now())


JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", _choice(JobKind, "kind"), nullable=False),
    Column("name", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("spec", JsonColumn, nullable=False),
    Column("idempotency_key", String),
    Column("state", _choice(JobState, "state"), nullable=False),
    Column("phase", String),
    Column("progress", JsonColumn, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("attempts_used", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("worker", String),
    Column("lease_deadline", UtcDateTime),
    Column("cancel_requested", Boolean, nullable=False),
    Column("pause_requested", Boolean, nullable=False),
    Column("failure_kind", _choice(FailureKind, "failure_kind")),
    Column("failure", JsonColumn),
    Column("last_event", Integer, nullable=False),  # seq of the job's newest event
    _created("created_at"),
    _updated("updated_at"),
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

TRIALS = Table(
    "trials",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("phase", String, nullable=False),
    Column("label", String, nullable=False),
    Column("state", _choice(TrialState, "state"), nullable=False),
    Column("candidate", JsonColumn, nullable=False),
    Column("route_digest", String),
    Column("values", JsonColumn, nullable=False),
    Column("evaluations", JsonColumn, nullable=False),
    Column("node", String),
    Column("process", Integer),
    Column("device", String),
    Column("actor", String),
    Column("failure", String),
    Column("notes", JsonColumn, nullable=False),
    Column("attempt", Integer, nullable=False),
    _created("created_at"),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="ended_is_finished"),
    Index(None, "job_id", "state"),
)

GRAPHS = Table(
    "graphs",
    METADATA,
    Column("digest", String, primary_key=True),
    Column("graph", JsonColumn, nullable=False),
    _created("created_at"),
)

ROUTES = Table(
    "routes",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("digest", String, primary_key=True),
    Column("graph_digest", String, ForeignKey(GRAPHS.c.digest), nullable=False),
    Column("text", String, nullable=False),
    Column("data_digest", String, nullable=False),
    Column("num_params", BigInteger, nullable=False),
    Column("macs", BigInteger, nullable=False),
    Column("role", _choice(RouteRole, "role"), nullable=False),
    Column("label", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("rank", Integer),
    Column("values", JsonColumn, nullable=False),
    Column("details", JsonColumn, nullable=False),
    _created("created_at"),
    _updated("updated_at"),
    Index(None, "digest"),
    Index(None, "data_digest", "rank"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("payload", JsonColumn, nullable=False),
    _created("at"),
)

REPORTS = Table(
    "reports",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("report", JsonColumn, nullable=False),
    _updated("updated_at"),
)

# One row per file that something may refer to; garbage collection deletes the row before the file.
ARTIFACTS = Table(
    "artifacts",
    METADATA,
    Column("sha256", String, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    _created("created_at"),
)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("name", String, primary_key=True),
    Column("artifact", String, ForeignKey(ARTIFACTS.c.sha256), nullable=False, index=True),
    Column("payload", JsonColumn, nullable=False),
    _updated("saved_at"),
)

EXPORTS = Table(
    "exports",
    METADATA,
    Column("id", String, primary_key=True),
    Column("job_id", String, ForeignKey(JOBS.c.id), nullable=False),
    Column("route_digest", String, nullable=False, index=True),
    Column("format", String, nullable=False),
    Column("state", _choice(WorkState, "state"), nullable=False),
    Column("artifact", String, ForeignKey(ARTIFACTS.c.sha256), index=True),
    Column("manifest", JsonColumn),
    Column("failure", JsonColumn),
    _created("created_at"),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("job_id", "route_digest", "format"),
    CheckConstraint("state != 'ready' OR artifact IS NOT NULL", name="ready_has_artifact"),
)

DATASETS = Table(
    "datasets",
    METADATA,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("name", String, nullable=False),
    Column("source", JsonColumn, nullable=False),
    Column("state", _choice(WorkState, "state"), nullable=False),
    Column("profile", JsonColumn),
    Column("digest", String),
    Column("failure", JsonColumn),
    Column("job_id", String, ForeignKey(JOBS.c.id), nullable=False, index=True),
    _created("created_at"),
    _updated("updated_at"),
    UniqueConstraint("owner", "name"),
)

WORKERS = Table(
    "workers",
    METADATA,
    Column("name", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("kinds", JsonColumn, nullable=False),
    Column("devices", JsonColumn, nullable=False),
    _created("started_at"),
    _updated("beat_at"),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", _choice(TokenRole, "role"), nullable=False),
    Column("sha256", String, nullable=False),
    _created("created_at"),
    Column("revoked_at", UtcDateTime),
    Column("owner", String, nullable=False, server_default="local"),
    UniqueConstraint("sha256"),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", String, primary_key=True),
    _created("at"),
    Column("actor", String, nullable=False),  # the token's name, or what else let them in
    Column("owner", String, nullable=False),
    Column("role", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("request_id", String, nullable=False),
    Index(None, "actor", "id"),
)

TEST_READS = Table(
    "test_reads",
    METADATA,
    Column("data_digest", String, primary_key=True),
    Column("job_id", String, primary_key=True),  # no foreign key: what was read stays read when the job is deleted
    _created("at"),
)
