"""Exports: promised with their job, fulfilled by whoever holds it."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from mtnas.errors import ConflictError
from mtnas.store.database import Database
from mtnas.store.files.artifacts import Artifacts
from mtnas.store.files.references import refer_to
from mtnas.store.jobs.submission import insert_job
from mtnas.store.records import JobHead, JobKind, Json
from mtnas.store.result_records import ExportRecord, RouteRecord, WorkState
from mtnas.store.sql.clock import now
from mtnas.store.sql.identifiers import new_id
from mtnas.store.sql.insertion import insert_missing
from mtnas.store.sql.record_columns import as_record, columns_of, found, missing
from mtnas.store.tables import EXPORTS
from mtnas.store.viewer import ANYBODY, Viewer

_COLUMNS = columns_of(ExportRecord, EXPORTS)


class Exports:
    """The exports of a store."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def submit(
        self,
        route: RouteRecord,
        spec: Json,
        *,
        format: str = "module",  # noqa: A002  (the word users know)
        owner: str | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[ExportRecord, bool]:
        """Queue a job that trains and exports a route, and promise its export, both or neither.

        Returns:
            The pending export with its `job_id`, and whether it is new (see `Jobs.submit` for the key).

        Raises:
            SpecError: the key was used for another request.
            QuotaError: the owner has as much as they may have.
        """
        with self._database.write() as connection:
            job, created = insert_job(
                connection,
                kind=JobKind.EXPORT,
                name=f"export {route.label} ({route.digest[:12]})",
                spec=spec,
                owner=self._viewer.making(owner),
                quota=self._viewer.quota,
                idempotency_key=idempotency_key,
            )
            return add_export(connection, job, route_digest=route.digest, format_name=format), created

    def get(self, export_id: str, *, owner: str | None = None) -> ExportRecord:
        """One export.

        Raises:
            NotFoundError: there is none of that id, or it is somebody else's.
        """
        query = select(*_COLUMNS).where(EXPORTS.c.id == export_id, self._viewer.of_job(EXPORTS.c.job_id, owner))
        with self._database.read() as connection:
            return found(ExportRecord, connection.execute(query).one_or_none(), noun="export", name=export_id)

    def list(
        self,
        *,
        job_id: str | None = None,
        route_digest: str | None = None,
        owner: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[ExportRecord, ...]:
        """Exports that a job makes, or of a route, or all; newest first."""
        query = (
            select(*_COLUMNS)
            .where(self._viewer.of_job(EXPORTS.c.job_id, owner))
            .order_by(EXPORTS.c.id.desc())
            .limit(limit)
            .offset(offset)
        )
        if job_id is not None:
            query = query.where(EXPORTS.c.job_id == job_id)
        if route_digest is not None:
            query = query.where(EXPORTS.c.route_digest == route_digest)
        with self._database.read() as connection:
            return tuple(as_record(ExportRecord, row) for row in connection.execute(query))


def add_export(connection: Connection, job: JobHead, *, route_digest: str, format_name: str) -> ExportRecord:
    """The job's export of that route in that format, promised now unless it was before."""
    row = {
        "id": new_id(),
        "job_id": job.id,
        "route_digest": route_digest,
        "format": format_name,
        "state": WorkState.PENDING,
    }
    insert_missing(connection, EXPORTS, [row])
    query = select(*_COLUMNS).where(
        EXPORTS.c.job_id == job.id, EXPORTS.c.route_digest == route_digest, EXPORTS.c.format == format_name
    )
    return as_record(ExportRecord, connection.execute(query).one())


def finish_export(
    connection: Connection, artifacts: Artifacts, job: JobHead, *, export_id: str, artifact: str, manifest: Json
) -> ExportRecord:
    """Fulfil a pending export with a file.

    Raises:
        NotFoundError: no such export of this job, or no such file.
        ConflictError: the export is ready with another file, or has failed.
    """
    refer_to(connection, artifacts, artifact)
    return _end(connection, job, export_id, state=WorkState.READY, artifact=artifact, manifest=manifest)


def fail_export(connection: Connection, job: JobHead, *, export_id: str, failure: Json) -> ExportRecord:
    """Say why there will be no such export.

    Raises:
        NotFoundError: no such export of this job.
        ConflictError: it is ready.
    """
    return _end(connection, job, export_id, state=WorkState.FAILED, failure=failure)


def _end(
    connection: Connection,
    job: JobHead,
    export_id: str,
    *,
    state: WorkState,
    artifact: str | None = None,
    manifest: Json | None = None,
    failure: Json | None = None,
) -> ExportRecord:
    this = (EXPORTS.c.id == export_id, EXPORTS.c.job_id == job.id)
    statement = (
        update(EXPORTS)
        .where(*this, EXPORTS.c.state == WorkState.PENDING)
        .values(state=state, artifact=artifact, manifest=manifest, failure=failure, finished_at=now())
        .returning(*_COLUMNS)
    )
    row = connection.execute(statement).one_or_none()
    if row is not None:
        return as_record(ExportRecord, row)
    row = connection.execute(select(*_COLUMNS).where(*this)).one_or_none()
    if row is None:
        raise missing("export", export_id)
    export = as_record(ExportRecord, row)
    if (export.state, export.artifact) != (state, artifact):
        raise ConflictError(expected="a pending export", found=export.state.value, where=f"export {export_id}")
    return export
