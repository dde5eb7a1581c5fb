"""Trials may end pruned: stopped early by successive halving."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    before = sa.Enum("running", "complete", "failed", name="state", native_enum=False, length=16)
    after = sa.Enum(
        "running", "complete", "pruned", "failed", name="state", native_enum=False, create_constraint=True, length=16
    )
    with op.batch_alter_table("trials") as table:
        table.drop_constraint(op.f("ck_trials_state"), type_="check")
        table.alter_column("state", existing_type=before, type_=after, existing_nullable=False)
