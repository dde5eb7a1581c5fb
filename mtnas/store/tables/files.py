"""Files, and the rows that name them: checkpoints, exports, data sets, uploads."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, String, Table, UniqueConstraint

from mtnas.store.result_records import WorkState
from mtnas.store.sql.clock import UtcDateTime
from mtnas.store.tables.jobs import JOBS
from mtnas.store.tables.schema import METADATA, JsonColumn, choice, created, updated

# One row per file that something may refer to; garbage collection deletes the row before the file.
ARTIFACTS = Table(
    "artifacts",
    METADATA,
    Column("sha256", String, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    created("created_at"),
)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("job_id", String, ForeignKey(JOBS.c.id), primary_key=True),
    Column("name", String, primary_key=True),
    Column("artifact", String, ForeignKey(ARTIFACTS.c.sha256), nullable=False, index=True),
    Column("payload", JsonColumn, nullable=False),
    updated("saved_at"),
)

EXPORTS = Table(
    "exports",
    METADATA,
    Column("id", String, primary_key=True),
    Column("job_id", String, ForeignKey(JOBS.c.id), nullable=False),
    Column("route_digest", String, nullable=False, index=True),
    Column("format", String, nullable=False),
    Column("state", choice(WorkState, "state"), nullable=False),
    Column("artifact", String, ForeignKey(ARTIFACTS.c.sha256), index=True),
    Column("manifest", JsonColumn),
    Column("failure", JsonColumn),
    created("created_at"),
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
    Column("state", choice(WorkState, "state"), nullable=False),
    Column("profile", JsonColumn),
    Column("digest", String),
    Column("failure", JsonColumn),
    Column("job_id", String, ForeignKey(JOBS.c.id), nullable=False, index=True),
    created("created_at"),
    updated("updated_at"),
    UniqueConstraint("owner", "name"),
)

# What data sets were made of files that somebody sent; others name files below data roots.
DATASET_FILES = Table(
    "dataset_files",
    METADATA,
    Column("dataset_id", String, ForeignKey(DATASETS.c.id), primary_key=True),
    Column("artifact", String, ForeignKey(ARTIFACTS.c.sha256), primary_key=True, index=True),
)

UPLOADS = Table(
    "uploads",
    METADATA,
    Column("owner", String, primary_key=True),
    Column("sha256", String, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),  # announced, before a byte has come
    Column("artifact", String, ForeignKey(ARTIFACTS.c.sha256), index=True),  # once it is whole
    created("created_at"),
    updated("updated_at"),
)
