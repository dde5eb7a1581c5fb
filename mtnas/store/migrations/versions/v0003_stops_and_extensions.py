"""Why a job's search ended, and which job it extends."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("stop", sa.JSON(none_as_null=True)))
    op.add_column("jobs", sa.Column("extends", sa.String))
    op.create_index("ix_jobs_extends", "jobs", ["extends"])
