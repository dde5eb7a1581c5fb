"""Files that people send, and the data sets that are made of them."""

import sqlalchemy as sa
from alembic import op

from mtnas.store.sql.clock import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "dataset_files",
        sa.Column("dataset_id", sa.String, sa.ForeignKey("datasets.id"), primary_key=True),
        sa.Column("artifact", sa.String, sa.ForeignKey("artifacts.sha256"), primary_key=True),
    )
    op.create_index("ix_dataset_files_artifact", "dataset_files", ["artifact"])
    op.create_table(
        "uploads",
        sa.Column("owner", sa.String, primary_key=True),
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("artifact", sa.String, sa.ForeignKey("artifacts.sha256")),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_uploads_artifact", "uploads", ["artifact"])
