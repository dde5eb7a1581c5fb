"""A job's ensemble has a row among its routes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BEFORE = ("baseline", "search", "finalist", "best")


def upgrade() -> None:
    before = sa.Enum(*BEFORE, name="role", native_enum=False, length=16)
    after = sa.Enum(*BEFORE, "ensemble", name="role", native_enum=False, create_constraint=True, length=16)
    with op.batch_alter_table("routes") as table:
        table.drop_constraint(op.f("ck_routes_role"), type_="check")
        table.alter_column("role", existing_type=before, type_=after, existing_nullable=False)
