"""What the holder of a lease may do. Every method is one transaction that first proves that the lease is still held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, update

from mtnas.store.database import Database
from mtnas.store.files.artifacts import Artifacts
from mtnas.store.jobs.leases import brought_on, prove_held
from mtnas.store.jobs.submission import read_job
from mtnas.store.jobs.transitions import (
    append_event,
    attempts_after_bad_end,
    move,
    patience_s,
    state_after_bad_end,
    state_after_release,
)
from mtnas.store.records import FailureKind, JobHead, JobRecord, JobState, Json, Lease
from mtnas.store.result_records import DatasetRecord, ExportRecord, NewRoute, NewTrial, TrialResult
from mtnas.store.results import checkpoints, datasets, exports, reports, routes, trials
from mtnas.store.tables import JOBS
from mtnas.trials import Place


class Holding:
    """A job in the hands of a worker.

    Every method raises `LeaseLostError` once the job has moved on; nothing is written then, and the worker must stop.
    `finish`, `fail`, `cancelled` and `release` end the holding.
    """

    def __init__(self, database: Database, artifacts: Artifacts, lease: Lease) -> None:
        self._database = database
        self._artifacts = artifacts
        self.lease = lease

    @contextmanager
    def _held(self) -> Iterator[tuple[Connection, JobHead]]:
        with self._database.write() as connection:
            yield connection, prove_held(connection, self.lease)

    @property
    def job(self) -> JobRecord:
        """The job as it is now."""
        with self._held() as (connection, job):
            return read_job(connection, job.id)

    def start_phase(self, name: str) -> None:
        """Say which phase the job is in; its progress starts anew."""
        with self._held() as (connection, job):
            connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(phase=name, progress={}))
            append_event(connection, job.id, "phase", {"phase": name, "attempt": job.attempt})

    def progress(self, figures: Json) -> None:
        """Replace the progress figures of the phase. Makes no event."""
        with self._held() as (connection, job):
            connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(progress=figures))

    def search_ended(self, stop: Json) -> None:
        """Write why the search ended into the job, and tell it as an event unless the job says so already."""
        with self._held() as (connection, job):
            if job.stop != stop:
                connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(stop=stop))
                append_event(connection, job.id, "search_ended", stop)

    def event(self, kind: str, payload: Json) -> int:
        """Append an event; gives its number within the job."""
        with self._held() as (connection, job):
            return append_event(connection, job.id, kind, payload)

    def add_trials(self, new: Sequence[NewTrial]) -> None:
        """Write trials that are about to run; numbers that exist stay as they are.

        Raises:
            ConflictError: a number exists with another candidate.
        """
        with self._held() as (connection, job):
            trials.add_trials(connection, job, new)

    def start_trials(self, numbers: Sequence[int], place: Place) -> None:
        """Note where trials run, and that they began now."""
        with self._held() as (connection, job):
            trials.start_trials(connection, job, numbers, place)

    def finish_trials(
        self, results: Sequence[TrialResult], *, events: Mapping[int, Json] | None = None
    ) -> tuple[int, ...]:
        """Write how trials ended, all or none; the first end of a trial counts.

        Args:
            results: how they ended.
            events: what to tell of a trial by its number, if it has ended just now, as an event of kind ``trial``.

        Returns:
            Numbers of the trials that had not ended before.

        Raises:
            NotFoundError: a trial that was never added.
        """
        with self._held() as (connection, job):
            ended = trials.finish_trials(connection, job, results)
            if ended:
                brought_on(connection, job)
            for number in ended:
                if events is not None and number in events:
                    append_event(connection, job.id, "trial", events[number])
            return ended

    def save_checkpoint(self, name: str, artifact: str, payload: Json | None = None) -> None:
        """Let the checkpoint `name` be the stored file `artifact` from now on.

        Raises:
            NotFoundError: no such file.
        """
        with self._held() as (connection, job):
            checkpoints.save_checkpoint(
                connection, self._artifacts, job, name=name, artifact=artifact, payload=payload or {}
            )
            brought_on(connection, job)

    def forget_checkpoints(self, names: Sequence[str]) -> None:
        """Drop checkpoints; files that no row names any more are garbage. Names that are not there change nothing."""
        with self._held() as (connection, job):
            checkpoints.forget_checkpoints(connection, job, names)

    def add_graphs(self, graphs: Mapping[str, Json]) -> None:
        """Store route graphs by their digest; before the routes that live in them."""
        with self._held() as (connection, _):
            routes.add_graphs(connection, graphs)

    def add_routes(self, new: Sequence[NewRoute]) -> None:
        """Write routes; one that the job has already is replaced.

        Raises:
            NotFoundError: a graph that was never added.
        """
        with self._held() as (connection, job):
            routes.add_routes(connection, job, new)

    def put_report(self, report: Json) -> None:
        """Write the report, or replace it."""
        with self._held() as (connection, job):
            reports.put_report(connection, job, report)

    def count_test_read(self, data_digest: str) -> int:
        """Note that this job reads the test part; gives how many jobs have, this one included."""
        with self._held() as (connection, job):
            return reports.count_test_read(connection, job, data_digest)

    def add_export(self, route_digest: str, format_name: str = "module") -> ExportRecord:
        """This job's export of a route, promised now unless it was before."""
        with self._held() as (connection, job):
            return exports.add_export(connection, job, route_digest=route_digest, format_name=format_name)

    def finish_export(self, export_id: str, artifact: str, manifest: Json) -> ExportRecord:
        """Fulfil an export with a stored file.

        Raises:
            NotFoundError: no such export, or no such file.
        """
        with self._held() as (connection, job):
            brought_on(connection, job)
            return exports.finish_export(
                connection, self._artifacts, job, export_id=export_id, artifact=artifact, manifest=manifest
            )

    def fail_export(self, export_id: str, failure: Json) -> ExportRecord:
        """Say why there will be no such export; the job goes on."""
        with self._held() as (connection, job):
            return exports.fail_export(connection, job, export_id=export_id, failure=failure)

    def set_profile(self, dataset_id: str, profile: Json, digest: str) -> DatasetRecord:
        """Write what the job found out about a data set.

        Raises:
            NotFoundError: no such data set waits for this job.
        """
        with self._held() as (connection, job):
            return datasets.set_profile(connection, job, dataset_id=dataset_id, profile=profile, digest=digest)

    def finish(self) -> None:
        """The job succeeded, even if somebody has just asked for something else."""
        with self._held() as (connection, job):
            move(connection, job, JobState.SUCCEEDED)

    def fail(self, kind: FailureKind, problem: Json, *, retry: bool = False, wait_s: float = 0.0) -> JobState:
        """The attempt failed.

        Args:
            kind: why.
            problem: the same for people, as a problem document.
            retry: whether another attempt may help; the job fails for good when none is left.
            wait_s: how long to wait before it, after a first attempt in vain; longer after others.

        Returns:
            Where the job went: failed, or back to the queue (cancelled or paused if somebody has asked for that).
        """
        with self._held() as (connection, job):
            to = state_after_bad_end(job) if retry else JobState.FAILED
            used, wait_s = attempts_after_bad_end(job), patience_s(job, wait_s)
            return move(
                connection, job, to, attempts_used=used, wait_s=wait_s, failure_kind=kind, failure=problem
            ).state

    def cancelled(self) -> None:
        """The work was stopped because somebody asked for it."""
        with self._held() as (connection, job):
            move(connection, job, JobState.CANCELLED)

    def release(self) -> JobState:
        """Give the job back unfinished: paused or cancelled if somebody has asked for that, else queued again."""
        with self._held() as (connection, job):
            return move(connection, job, state_after_release(job)).state
