"""Jobs carry labels and a note, and are put aside before they are purged."""

import sqlalchemy as sa
from alembic import op

from mtnas.store.sql.clock import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("labels", sa.JSON(none_as_null=True), nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("note", sa.String))
    op.add_column("jobs", sa.Column("deleted_at", UtcDateTime))
    op.create_index("ix_jobs_deleted_at", "jobs", ["deleted_at"])
