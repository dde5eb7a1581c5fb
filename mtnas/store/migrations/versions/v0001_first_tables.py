"""The first tables."""

import sqlalchemy as sa
from alembic import op

from mtnas.store.sql.clock import UtcDateTime

revision = "0001"
down_revision = None

_JSON = sa.JSON(none_as_null=True)


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "graphs",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("graph", _JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", _choice("kind", "profile", "search", "export", "extend"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("spec", _JSON, nullable=False),
        sa.Column("idempotency_key", sa.String),
        sa.Column(
            "state", _choice("state", "queued", "running", "paused", "succeeded", "failed", "cancelled"), nullable=False
        ),
        sa.Column("phase", sa.String),
        sa.Column("progress", _JSON, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("attempts_used", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("worker", sa.String),
        sa.Column("lease_deadline", UtcDateTime),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("pause_requested", sa.Boolean, nullable=False),
        sa.Column(
            "failure_kind",
            _choice("failure_kind", "user_error", "data_error", "diverged", "out_of_memory", "lost_worker", "timeout"),
        ),
        sa.Column("failure", _JSON),
        sa.Column("last_event", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.UniqueConstraint("owner", "idempotency_key"),
        sa.CheckConstraint("(worker IS NULL) = (lease_deadline IS NULL)", name="worker_has_deadline"),
        sa.CheckConstraint(
            "(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="final_is_finished"
        ),
        sa.CheckConstraint("(state = 'running') = (worker IS NOT NULL)", name="running_has_worker"),
        sa.CheckConstraint("(state = 'failed') = (failure_kind IS NOT NULL)", name="failed_has_kind"),
    )
    op.create_index("ix_jobs_owner_id", "jobs", ["owner", "id"])
    op.create_index("ix_jobs_state_id", "jobs", ["state", "id"])
    op.create_table(
        "checkpoints",
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("artifact", sa.String, sa.ForeignKey("artifacts.sha256"), nullable=False),
        sa.Column("payload", _JSON, nullable=False),
        sa.Column("saved_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_checkpoints_artifact", "checkpoints", ["artifact"])
    op.create_table(
        "datasets",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("source", _JSON, nullable=False),
        sa.Column("state", _choice("state", "pending", "ready", "failed"), nullable=False),
        sa.Column("profile", _JSON),
        sa.Column("digest", sa.String),
        sa.Column("failure", _JSON),
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("owner", "name"),
    )
    op.create_index("ix_datasets_job_id", "datasets", ["job_id"])
    op.create_table(
        "events",
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("payload", _JSON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("route_digest", sa.String, nullable=False),
        sa.Column("format", sa.String, nullable=False),
        sa.Column("state", _choice("state", "pending", "ready", "failed"), nullable=False),
        sa.Column("artifact", sa.String, sa.ForeignKey("artifacts.sha256")),
        sa.Column("manifest", _JSON),
        sa.Column("failure", _JSON),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.CheckConstraint("state != 'ready' OR artifact IS NOT NULL", name="ready_has_artifact"),
        sa.UniqueConstraint("job_id", "route_digest", "format"),
    )
    op.create_index("ix_exports_artifact", "exports", ["artifact"])
    op.create_index("ix_exports_route_digest", "exports", ["route_digest"])
    op.create_table(
        "reports",
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("report", _JSON, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "routes",
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("graph_digest", sa.String, sa.ForeignKey("graphs.digest"), nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("data_digest", sa.String, nullable=False),
        sa.Column("num_params", sa.BigInteger, nullable=False),
        sa.Column("macs", sa.BigInteger, nullable=False),
        sa.Column("role", _choice("role", "baseline", "search", "finalist", "best"), nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("rank", sa.Integer),
        sa.Column("values", _JSON, nullable=False),
        sa.Column("details", _JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_routes_data_digest_rank", "routes", ["data_digest", "rank"])
    op.create_index("ix_routes_digest", "routes", ["digest"])
    op.create_table(
        "test_reads",
        sa.Column("data_digest", sa.String, primary_key=True),
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "trials",
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("state", _choice("state", "running", "complete", "failed"), nullable=False),
        sa.Column("candidate", _JSON, nullable=False),
        sa.Column("route_digest", sa.String),
        sa.Column("values", _JSON, nullable=False),
        sa.Column("evaluations", _JSON, nullable=False),
        sa.Column("node", sa.String),
        sa.Column("process", sa.Integer),
        sa.Column("device", sa.String),
        sa.Column("actor", sa.String),
        sa.Column("failure", sa.String),
        sa.Column("notes", _JSON, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="ended_is_finished"),
    )
    op.create_index("ix_trials_job_id_state", "trials", ["job_id", "state"])
