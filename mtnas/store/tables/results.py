"""What jobs found: trials, routes, reports, and that test parts were read."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from mtnas.store.result_records import RouteRole
from mtnas.store.sql.clock import UtcDateTime
from mtnas.store.tables.jobs import JOBS
from mtnas.store.tables.schema import METADATA, JsonColumn, choice, created, updated
from mtnas.trials import TrialState

TRIALS = Table(
    "trials",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("phase", String, nullable=False),
    Column("label", String, nullable=False),
    Column("state", choice(TrialState, "state"), nullable=False),
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
    created("created_at"),
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
    created("created_at"),
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
    Column("role", choice(RouteRole, "role"), nullable=False),
    Column("label", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("rank", Integer),
    Column("values", JsonColumn, nullable=False),
    Column("details", JsonColumn, nullable=False),
    created("created_at"),
    updated("updated_at"),
    Index(None, "digest"),
    Index(None, "data_digest", "rank"),
)

REPORTS = Table(
    "reports",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("report", JsonColumn, nullable=False),
    updated("updated_at"),
)

TEST_READS = Table(
    "test_reads",
    METADATA,
    Column("data_digest", String, primary_key=True),
    Column("job_id", String, primary_key=True),  # no foreign key: what was read stays read when the job is deleted
    created("at"),
)
