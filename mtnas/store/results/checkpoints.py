"""Checkpoints: the named resting points of a job, each a row that names a file."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from mtnas.store.database import Database
from mtnas.store.files.artifacts import Artifacts
from mtnas.store.files.references import refer_to
from mtnas.store.records import JobHead, Json
from mtnas.store.result_records import CheckpointRecord
from mtnas.store.sql.insertion import insert_or_replace
from mtnas.store.sql.record_columns import as_record, columns_of
from mtnas.store.tables import CHECKPOINTS
from mtnas.store.viewer import ANYBODY, Viewer

_COLUMNS = columns_of(CheckpointRecord, CHECKPOINTS)


class Checkpoints:
    """The checkpoints of a store, to read."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def get(self, job_id: str, name: str) -> CheckpointRecord | None:
        """The checkpoint of that name, or None if the job has not come so far."""
        query = select(*_COLUMNS).where(
            CHECKPOINTS.c.job_id == job_id, CHECKPOINTS.c.name == name, self._viewer.of_job(job_id)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else as_record(CheckpointRecord, row)

    def list(self, job_id: str) -> tuple[CheckpointRecord, ...]:
        """All checkpoints of a job by name."""
        query = select(*_COLUMNS).where(CHECKPOINTS.c.job_id == job_id, self._viewer.of_job(job_id))
        query = query.order_by(CHECKPOINTS.c.name)
        with self._database.read() as connection:
            return tuple(as_record(CheckpointRecord, row) for row in connection.execute(query))


def save_checkpoint(
    connection: Connection, artifacts: Artifacts, job: JobHead, *, name: str, artifact: str, payload: Json
) -> None:
    """Let the job's checkpoint `name` be that file from now on.

    Raises:
        NotFoundError: there is no such file.
    """
    refer_to(connection, artifacts, artifact)
    row = {"job_id": job.id, "name": name, "artifact": artifact, "payload": payload}
    insert_or_replace(connection, CHECKPOINTS, [row])


def forget_checkpoints(connection: Connection, job: JobHead, names: Sequence[str]) -> None:
    """Drop the job's checkpoints of these names, if they are there."""
    connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.job_id == job.id, CHECKPOINTS.c.name.in_(names)))
