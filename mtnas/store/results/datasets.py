"""Data sets: a source under a name, unique per owner, and the profile that a job finds."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, or_, select, update

from mtnas.errors import ConflictError
from mtnas.store.database import Database
from mtnas.store.jobs.submission import insert_job
from mtnas.store.quotas import Quota
from mtnas.store.records import JobHead, JobKind, JobRecord, JobState, Json
from mtnas.store.result_records import DatasetRecord, WorkState
from mtnas.store.results.uploads import let_files_go, use_files
from mtnas.store.sql.finite_json import clean, clean_text
from mtnas.store.sql.identifiers import new_id
from mtnas.store.sql.record_columns import as_record, columns_of, found, missing
from mtnas.store.tables import DATASETS, JOBS
from mtnas.store.viewer import ANYBODY, Viewer

_COLUMNS = columns_of(DatasetRecord, DATASETS)


class Datasets:
    """The data sets of a store."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def register(self, name: str, source: Json, *, owner: str | None = None) -> tuple[DatasetRecord, bool]:
        """Give a source a name and queue the job (of kind `profile`) that looks at it.

        The job's spec is `{"dataset_id": ..., "name": ..., "source": ...}`. Registering the same again changes
        nothing; a data set whose profile failed may be registered again, with the same source or another.

        Returns:
            The data set, and whether a job was queued.

        Raises:
            ConflictError: the name stands for another source.
            DataError: it names files that the owner has not sent.
            QuotaError: the owner has as much as they may have.
        """
        name, owner, quota = clean_text(name), self._viewer.making(owner), self._viewer.quota
        with self._database.write() as connection:
            query = select(*_COLUMNS).where(DATASETS.c.owner == owner, DATASETS.c.name == name).with_for_update()
            row = connection.execute(query).one_or_none()
            if row is None:
                return _insert(connection, name=name, source=source, owner=owner, quota=quota), True
            dataset = as_record(DatasetRecord, row)
            if dataset.state is WorkState.FAILED:
                return _retry(connection, dataset, source, quota), True
            if dataset.source != clean(source):
                raise ConflictError(
                    expected="the source that the name stands for", found="another", where=f"data set {name!r}"
                )
            return dataset, False

    def get(self, name_or_id: str, *, owner: str | None = None) -> DatasetRecord:
        """One data set by its id, or by its name among those of `owner`.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        query = select(*_COLUMNS).where(or_(DATASETS.c.id == name_or_id, DATASETS.c.name == name_or_id))
        if (seen := self._viewer.narrowed(owner)) is not None:
            query = query.where(DATASETS.c.owner == seen)
        with self._database.read() as connection:
            row = connection.execute(query.order_by(DATASETS.c.id).limit(1)).one_or_none()
        return found(DatasetRecord, row, noun="data set", name=name_or_id)

    def list(self, *, owner: str | None = None, limit: int = 100, offset: int = 0) -> tuple[DatasetRecord, ...]:
        """Data sets by name."""
        query = select(*_COLUMNS).order_by(DATASETS.c.name, DATASETS.c.id).limit(limit).offset(offset)
        if (seen := self._viewer.narrowed(owner)) is not None:
            query = query.where(DATASETS.c.owner == seen)
        with self._database.read() as connection:
            return tuple(as_record(DatasetRecord, row) for row in connection.execute(query))

    def delete(self, name_or_id: str, *, owner: str | None = None) -> None:
        """Delete a data set and, unless another one needs them, the files that were sent for it.

        What jobs have found on it stays; those that have ended cannot be extended or exported from any more.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            ConflictError: a job that has not ended uses it, or profiles it.
        """
        dataset = self.get(name_or_id, owner=owner)
        # In a search's specification, and in an export's, which holds its search's.
        uses = [
            (JOBS.c.spec[(*place, "kind")].as_string() == "dataset")
            & JOBS.c.spec[(*place, "name")].as_string().in_((dataset.name, dataset.id))
            for place in (("data", "source"), ("job", "data", "source"))
        ]
        active = select(JOBS.c.id).where(
            JOBS.c.owner == dataset.owner,
            JOBS.c.state.not_in([state for state in JobState if state.is_final]),
            or_(JOBS.c.id == dataset.job_id, *uses),
        )
        with self._database.write() as connection:
            if (job_id := connection.execute(active.limit(1)).scalar()) is not None:
                expected = "a data set that no job is using (end or cancel it)"
                raise ConflictError(expected=expected, found=f"job {job_id}", where=f"data set {dataset.name!r}")
            let_files_go(connection, dataset_id=dataset.id, owner=dataset.owner)
            connection.execute(delete(DATASETS).where(DATASETS.c.id == dataset.id))


def set_profile(connection: Connection, job: JobHead, *, dataset_id: str, profile: Json, digest: str) -> DatasetRecord:
    """Write what the profile job found; the data set is ready then. (If the job fails, so does the data set.)

    Raises:
        NotFoundError: no such data set waits for this job.
    """
    statement = (
        update(DATASETS)
        .where(DATASETS.c.id == dataset_id, DATASETS.c.job_id == job.id)
        .values(state=WorkState.READY, profile=profile, digest=digest, failure=None)
        .returning(*_COLUMNS)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise missing("data set", dataset_id)
    return as_record(DatasetRecord, row)


def _insert(connection: Connection, *, name: str, source: Json, owner: str, quota: Quota | None) -> DatasetRecord:
    dataset_id = new_id()
    job = _profile_job(connection, dataset_id, name=name, source=source, owner=owner, quota=quota)
    values = {
        "id": dataset_id,
        "owner": owner,
        "name": name,
        "source": source,
        "state": WorkState.PENDING,
        "job_id": job.id,
    }
    row = connection.execute(insert(DATASETS).values(values).returning(*_COLUMNS)).one()
    use_files(connection, dataset_id=dataset_id, owner=owner, source=source)
    return as_record(DatasetRecord, row)


def _retry(connection: Connection, dataset: DatasetRecord, source: Json, quota: Quota | None) -> DatasetRecord:
    use_files(connection, dataset_id=dataset.id, owner=dataset.owner, source=source)
    job = _profile_job(connection, dataset.id, name=dataset.name, source=source, owner=dataset.owner, quota=quota)
    statement = (
        update(DATASETS)
        .where(DATASETS.c.id == dataset.id)
        .values(source=source, state=WorkState.PENDING, profile=None, digest=None, failure=None, job_id=job.id)
        .returning(*_COLUMNS)
    )
    return as_record(DatasetRecord, connection.execute(statement).one())


def _profile_job(
    connection: Connection, dataset_id: str, *, name: str, source: Json, owner: str, quota: Quota | None
) -> JobRecord:
    spec = {"dataset_id": dataset_id, "name": name, "source": source}
    return insert_job(connection, kind=JobKind.PROFILE, name=f"profile {name}", spec=spec, owner=owner, quota=quota)[0]
