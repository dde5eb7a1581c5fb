"""Tokens belong to owners, jobs count what they have used, and what people did is written down."""

import sqlalchemy as sa
from alembic import op

from mtnas.store.sql.clock import UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # All jobs so far are of the owner "local": tokens that exist go on seeing them.
    op.add_column("tokens", sa.Column("owner", sa.String, nullable=False, server_default="local"))
    op.add_column("jobs", sa.Column("device_seconds", sa.Float, nullable=False, server_default="0"))
    op.create_table(
        "audit",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
    )
    op.create_index("ix_audit_actor_id", "audit", ["actor", "id"])
