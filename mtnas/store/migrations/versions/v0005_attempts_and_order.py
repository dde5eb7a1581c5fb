"""Attempts that made progress, waits before the next one, who goes first, and two more kinds of failure."""

import sqlalchemy as sa
from alembic import op

from mtnas.store.sql.clock import UtcDateTime

revision = "0005"
down_revision = "0004"

_BEFORE = ("user_error", "data_error", "diverged", "out_of_memory", "lost_worker", "timeout")
_AFTER = ("user_error", "data_error", "diverged", "out_of_memory", "out_of_disk", "lost_worker", "timeout", "internal")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("precedence", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("progressed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("not_before", UtcDateTime))
    op.execute("UPDATE jobs SET precedence = -100 WHERE kind IN ('profile', 'export')")
    op.create_index("ix_jobs_state_precedence_id", "jobs", ["state", "precedence", "id"])
    before, after = (f"failure_kind IN ({_quoted(kinds)})" for kinds in (_BEFORE, _AFTER))
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_jobs_failure_kind"), "jobs", type_="check")
        op.create_check_constraint(op.f("ck_jobs_failure_kind"), "jobs", after)
        return
    # Making the table anew, as for other tables, would break the foreign keys that name it; the text of a check may be
    # exchanged in place (sqlite.org/lang_altertable.html, section 7). The statements above make others read it again.
    op.execute("PRAGMA writable_schema = ON")
    op.get_bind().execute(
        sa.text("UPDATE sqlite_master SET sql = replace(sql, :before, :after) WHERE type = 'table' AND name = 'jobs'"),
        {"before": before, "after": after},
    )
    op.execute("PRAGMA writable_schema = RESET")


def _quoted(kinds: tuple[str, ...]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)
