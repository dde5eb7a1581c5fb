"""Bearer tokens: what each may do, and whether it still may."""

import sqlalchemy as sa
from alembic import op

from mtnas.store.sql.clock import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    role = sa.Enum("read", "submit", "admin", name="role", native_enum=False, create_constraint=True, length=16)
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", role, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.UniqueConstraint("sha256"),
    )
