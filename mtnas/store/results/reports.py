"""Reports, and the count of jobs that have looked at the test part of some data."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from mtnas.store.database import Database
from mtnas.store.records import JobHead, Json
from mtnas.store.result_records import ReportRecord
from mtnas.store.sql.insertion import insert_missing, insert_or_replace
from mtnas.store.sql.record_columns import columns_of, found
from mtnas.store.tables import REPORTS, TEST_READS
from mtnas.store.viewer import ANYBODY, Viewer


class Reports:
    """The reports of a store, to read."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def get(self, job_id: str) -> ReportRecord:
        """The report of a job.

        Raises:
            NotFoundError: the job has none (yet).
        """
        query = select(*columns_of(ReportRecord, REPORTS)).where(
            REPORTS.c.job_id == job_id, self._viewer.of_job(job_id)
        )
        with self._database.read() as connection:
            return found(ReportRecord, connection.execute(query).one_or_none(), noun="report", name=job_id)


class TestReads:
    """How often the test part of some data was looked at."""

    __test__ = False  # not a test, whatever a test runner makes of its name

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, data_digest: str) -> int:
        """How many jobs have read the test part of the data with that digest."""
        with self._database.read() as connection:
            return _count(connection, data_digest)


def put_report(connection: Connection, job: JobHead, report: Json) -> None:
    """Write the job's report, or replace it."""
    insert_or_replace(connection, REPORTS, [{"job_id": job.id, "report": report}])


def count_test_read(connection: Connection, job: JobHead, data_digest: str) -> int:
    """Note that the job reads the test part, and count the jobs that have done so, this one included.

    A job that repeats its report after a crash sees nothing new, so each job counts once.
    """
    insert_missing(connection, TEST_READS, [{"data_digest": data_digest, "job_id": job.id}])
    return _count(connection, data_digest)


def _count(connection: Connection, data_digest: str) -> int:
    query = select(func.count()).select_from(TEST_READS).where(TEST_READS.c.data_digest == data_digest)
    return int(connection.execute(query).scalar_one())
