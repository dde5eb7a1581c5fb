"""That a job has read a test part is remembered when the job is deleted."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("test_reads") as table:
        table.drop_constraint(op.f("fk_test_reads_job_id"), type_="foreignkey")
