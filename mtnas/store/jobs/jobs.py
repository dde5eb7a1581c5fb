"""Jobs as everybody may use them: submit, look, and ask a running one for something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select, update

from mtnas.errors import ConflictError
from mtnas.store.database import Database
from mtnas.store.jobs.deletion import check_deletable, delete_job
from mtnas.store.jobs.settling import reopen
from mtnas.store.jobs.submission import insert_job, named, read_job
from mtnas.store.jobs.transitions import append_event, move
from mtnas.store.quotas import check_quota
from mtnas.store.records import JobHead, JobKind, JobRecord, JobState, Json, Pulse
from mtnas.store.sql.clock import now
from mtnas.store.sql.finite_json import clean_text
from mtnas.store.sql.record_columns import as_record, columns_of, found
from mtnas.store.tables import JOBS
from mtnas.store.viewer import ANYBODY, Viewer

_COLUMNS, _HEAD = columns_of(JobRecord, JOBS), columns_of(JobHead, JOBS)


class Jobs:
    """The jobs of a store."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def submit(
        self,
        kind: JobKind,
        name: str,
        spec: Json,
        *,
        owner: str | None = None,
        idempotency_key: str | None = None,
        max_attempts: int = 3,
        extends: str | None = None,
        precedence: int | None = None,
    ) -> tuple[JobRecord, bool]:
        """Queue a job. With a key that its owner has used before, give that first job back instead.

        Args:
            kind: what it is for.
            name: for a reader.
            spec: the request, self-contained.
            owner: whose it is; by default the viewer's.
            idempotency_key: any text, unique to the request.
            max_attempts: attempts that may end badly before the job fails.
            extends: the job that it goes on from.
            precedence: jobs of a lower one are claimed first; by default profiles and exports, which are short.

        Returns:
            The job, and whether it is new.

        Raises:
            SpecError: the key was used for another request.
            QuotaError: the owner has as much as they may have.
        """
        with self._database.write() as connection:
            return insert_job(
                connection,
                kind=kind,
                name=name,
                spec=spec,
                owner=self._viewer.making(owner),
                quota=self._viewer.quota,
                idempotency_key=idempotency_key,
                max_attempts=max_attempts,
                extends=extends,
                precedence=precedence,
            )

    def get(self, job_id: str, *, owner: str | None = None) -> JobRecord:
        """One job.

        Raises:
            NotFoundError: there is none of that id, or it is somebody else's.
        """
        with self._database.read() as connection:
            return read_job(connection, job_id, owner=self._viewer.narrowed(owner))

    def of_key(self, idempotency_key: str, *, owner: str | None = None) -> JobRecord | None:
        """The job that this key of that owner (by default the viewer) stands for, if there is one."""
        whose = self._viewer.making(owner)
        query = select(*_COLUMNS).where(JOBS.c.owner == whose, JOBS.c.idempotency_key == clean_text(idempotency_key))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else as_record(JobRecord, row)

    def head(self, job_id: str, *, owner: str | None = None) -> JobHead:
        """One job without its request.

        Raises:
            NotFoundError: as for ``get``.
        """
        query = named(select(*_HEAD), job_id, owner=self._viewer.narrowed(owner))
        with self._database.read() as connection:
            return found(JobHead, connection.execute(query).one_or_none(), noun="job", name=job_id)

    def list(
        self,
        *,
        owner: str | None = None,
        state: JobState | None = None,
        kind: JobKind | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        deleted: bool = False,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[JobHead, ...]:
        """Jobs, newest first, older than the job `before`.

        Args:
            owner: whose they have to be.
            state: where they have to be.
            kind: what they have to be for.
            name: what their names have to contain, in letters of any size.
            labels: labels that they have to carry, with these values.
            deleted: those that were put aside instead of the others.
            limit: how many at most.
            before: the last job of the page before.
        """
        query = select(*_HEAD).order_by(JOBS.c.id.desc()).limit(limit)
        query = query.where(JOBS.c.deleted_at.is_not(None) if deleted else JOBS.c.deleted_at.is_(None))
        if name is not None:
            query = query.where(func.lower(JOBS.c.name).contains(name.lower(), autoescape=True))
        for label, wanted in (labels or {}).items():
            query = query.where(JOBS.c.labels[label].as_string() == wanted)
        for column, value in ((JOBS.c.owner, self._viewer.narrowed(owner)), (JOBS.c.state, state), (JOBS.c.kind, kind)):
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(JOBS.c.id < before)
        with self._database.read() as connection:
            return tuple(as_record(JobHead, row) for row in connection.execute(query))

    def counts(self, *, owner: str | None = None) -> Mapping[JobState, int]:
        """How many jobs are in each state."""
        query = select(JOBS.c.state, func.count()).where(JOBS.c.deleted_at.is_(None)).group_by(JOBS.c.state)
        if (seen := self._viewer.narrowed(owner)) is not None:
            query = query.where(JOBS.c.owner == seen)
        with self._database.read() as connection:
            counted = {row[0]: row[1] for row in connection.execute(query)}
        return {state: counted.get(state, 0) for state in JobState}

    def pulses(self, job_ids: Sequence[str]) -> Mapping[str, Pulse]:
        """The pulses of these jobs by id; those that are not there are left out."""
        query = select(*columns_of(Pulse, JOBS)).where(JOBS.c.id.in_(job_ids), JOBS.c.deleted_at.is_(None))
        with self._database.read() as connection:
            return {row.id: as_record(Pulse, row) for row in connection.execute(query)}

    def queued(self) -> Mapping[JobKind, int]:
        """How many jobs of each kind wait in the queue, whoever's they are; kinds without any are left out."""
        query = select(JOBS.c.kind, func.count()).where(JOBS.c.state == JobState.QUEUED).group_by(JOBS.c.kind)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def num_lapsed(self) -> int:
        """Jobs that count as running although their lease has run out: nobody has reaped them yet."""
        query = select(func.count()).where(JOBS.c.state == JobState.RUNNING, JOBS.c.lease_deadline < now())
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def request_cancel(self, job_id: str, *, owner: str | None = None) -> JobRecord:
        """Cancel a job: at once if nobody works on it, else by its holder's next heartbeat. Asking again is harmless.

        A holder whose lease has run out does not count, whether the reaper has seen it or not.

        Raises:
            NotFoundError: no such job.
            ConflictError: it has already ended otherwise.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id, owner=self._viewer.narrowed(owner), lock=True)
            if job.state is JobState.RUNNING and not _has_lapsed(connection, job):
                return job if job.cancel_requested else _request(connection, job, cancel_requested=True)
            return job if job.state is JobState.CANCELLED else move(connection, job, JobState.CANCELLED)

    def retry(self, job_id: str, *, owner: str | None = None) -> JobRecord:
        """Queue a job again that has failed or was cancelled. What it has finished stays; attempts count anew.

        Trials that ended with the job, or because processes died, are forgotten, so that they are run again; exports
        and profiles that failed with the job are promised again.

        Raises:
            NotFoundError: no such job.
            ConflictError: it has succeeded, or has not ended.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id, owner=self._viewer.narrowed(owner), lock=True)
            if job.state not in (JobState.FAILED, JobState.CANCELLED):
                expected = f"a job that is {JobState.FAILED} or {JobState.CANCELLED}"
                raise ConflictError(expected=expected, found=job.state.value, where=f"job {job.id}")
            check_quota(connection, job.owner, self._viewer.quota)
            reopen(connection, job)
            return move(connection, job, JobState.QUEUED, attempts_used=0)

    def request_pause(self, job_id: str, *, owner: str | None = None) -> JobRecord:
        """Ask the holder of a running job to stop with its next heartbeat. Asking again is harmless.

        Raises:
            NotFoundError: no such job.
            ConflictError: it is neither running nor paused.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id, owner=self._viewer.narrowed(owner), lock=True)
            if job.state is JobState.PAUSED or job.pause_requested:
                return job
            if job.state is not JobState.RUNNING:
                expected = f"a job that is {JobState.RUNNING} (or {JobState.PAUSED} already)"
                raise ConflictError(expected=expected, found=job.state.value, where=f"job {job.id}")
            return _request(connection, job, pause_requested=True)

    def resume(self, job_id: str, *, owner: str | None = None) -> JobRecord:
        """Queue a paused job again, or take back a pause request that nobody has followed yet.

        Raises:
            NotFoundError: no such job.
            ConflictError: it has ended.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id, owner=self._viewer.narrowed(owner), lock=True)
            if job.state is JobState.RUNNING and job.pause_requested:
                return _request(connection, job, pause_requested=False)
            if job.state in (JobState.QUEUED, JobState.RUNNING):
                return job
            if job.state is not JobState.PAUSED:
                expected = f"a job that is {JobState.PAUSED} (or {JobState.QUEUED} or {JobState.RUNNING} already)"
                raise ConflictError(expected=expected, found=job.state.value, where=f"job {job.id}")
            return move(connection, job, JobState.QUEUED)

    def annotate(
        self,
        job_id: str,
        *,
        labels: Mapping[str, str] | None = None,
        note: str | None = None,
        owner: str | None = None,
    ) -> JobRecord:
        """Replace a job's labels or its note; what is `None` stays as it is.

        Raises:
            NotFoundError: no such job.
        """
        given = {"labels": None if labels is None else dict(labels), "note": None if note is None else clean_text(note)}
        changed = {name: value for name, value in given.items() if value is not None}
        with self._database.write() as connection:
            job = read_job(connection, job_id, owner=self._viewer.narrowed(owner), lock=True)
            connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(changed | {"updated_at": now()}))
            return read_job(connection, job.id)

    def delete(self, job_id: str, *, owner: str | None = None) -> None:
        """Delete a job that has ended, and all that it left behind; see ``deletion.py`` for what stays.

        Raises:
            NotFoundError: no such job.
            ConflictError: it has not ended, or something still needs it.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id, owner=self._viewer.narrowed(owner), lock=True)
            check_deletable(connection, job)
            delete_job(connection, job.id)


def _has_lapsed(connection: Connection, job: JobRecord) -> bool:
    query = select(JOBS.c.id).where(JOBS.c.id == job.id, JOBS.c.lease_deadline < now())
    return connection.execute(query).one_or_none() is not None


def _request(
    connection: Connection, job: JobRecord, *, cancel_requested: bool | None = None, pause_requested: bool | None = None
) -> JobRecord:
    wishes = {"cancel_requested": cancel_requested, "pause_requested": pause_requested}
    asked = {name: wish for name, wish in wishes.items() if wish is not None}
    statement = update(JOBS).where(JOBS.c.id == job.id).values(asked).returning(*_COLUMNS)
    changed = as_record(JobRecord, connection.execute(statement).one())
    append_event(connection, job.id, "request", asked)
    return changed
