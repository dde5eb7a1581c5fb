"""The workers that are there, and when each was last heard of."""

import sqlalchemy as sa
from alembic import op

from mtnas.store.sql.clock import UtcDateTime

revision = "0006"
down_revision = "0005"

_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("kinds", _JSON, nullable=False),
        sa.Column("devices", _JSON, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("beat_at", UtcDateTime, nullable=False),
    )
