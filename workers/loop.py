"""The loop of a worker: claim a job, run it under a heartbeat, write down how it ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from mtnas.errors import CancelledError, LeaseLostError, StoreError
from mtnas.store import Holding, JobKind, Lease, Store
from workers.failures import describe
from workers.settings import Settings
from workers.upkeep.heartbeat import Heartbeat, StopReason

_log = logging.getLogger(__name__)

Work = Callable[[Holding, Callable[[], None]], None]
"""Runs a held job to its end; calls the second argument, which raises when the work must stop, as often as it can."""


class Worker:
    """Works on one job at a time until ``shutdown`` is set.

    Args:
        name: tells a reader which process holds a job.
        work_by_kind: how to run a job of each kind; jobs of other kinds are left to other workers.
        rest: called whenever the queue was found empty.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        name: str,
        work_by_kind: Mapping[JobKind, Work],
        shutdown: threading.Event,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._settings, self._name = store, settings, name
        self._work_by_kind, self._shutdown, self._rest = work_by_kind, shutdown, rest

    def run(self) -> None:
        """Claim and work until told to end; the job at hand is then given back."""
        while not self._shutdown.is_set():
            lease = self._claim()
            if lease is None:
                self._rest()
                self._shutdown.wait(self._settings.poll_s)
            else:
                self._hold(lease)

    def _claim(self) -> Lease | None:
        try:
            return self._store.leases.claim(self._name, lease_s=self._settings.lease_s, kinds=tuple(self._work_by_kind))
        except StoreError as error:
            _log.warning("claiming failed", extra={"error": str(error)})
            return None

    def _hold(self, lease: Lease) -> None:
        fields = {"job_id": lease.job_id, "attempt": lease.attempt}
        _log.info("job claimed", extra=fields)
        heartbeat = Heartbeat(
            self._store,
            lease,
            lease_s=self._settings.lease_s,
            every_s=self._settings.heartbeat_s,
            shutdown=self._shutdown,
            timeout_s=self._settings.job_timeout_s,
        )
        try:
            with heartbeat:
                outcome = self._attempt(self._store.hold(lease), heartbeat)
        except StoreError as error:
            # Lost, or the database is gone: either way the reaper decides what becomes of the job.
            outcome = f"let go: {error}"
        _log.info("job left", extra=fields | {"outcome": outcome})

    def _attempt(self, holding: Holding, heartbeat: Heartbeat) -> str:
        job = holding.job
        try:
            self._work_by_kind[job.kind](holding, heartbeat.check)
        except LeaseLostError:
            raise
        except CancelledError as error:
            if heartbeat.reason is not StopReason.TIMEOUT:
                return _stop(holding, heartbeat.reason)
            return self._fail(holding, error, job_id=job.id)
        except Exception as error:  # the edge of the process: whatever went wrong ends this job only
            _log.exception("job failed", extra={"job_id": job.id, "attempt": job.attempt})
            return self._fail(holding, error, job_id=job.id)
        holding.finish()
        return "succeeded"

    def _fail(self, holding: Holding, error: Exception, *, job_id: str) -> str:
        failure = describe(error, job_id=job_id)
        return holding.fail(
            failure.kind, failure.problem, retry=failure.retry, wait_s=failure.patience * self._settings.retry_s
        )


def _stop(holding: Holding, reason: StopReason | None) -> str:
    if reason is StopReason.CANCEL:
        holding.cancelled()
    else:
        holding.release()
    return str(reason)
