"""The heartbeat: renews a lease in the background and hears when the work must stop."""

from __future__ import annotations

import logging
import threading
import time
from enum import StrEnum
from types import TracebackType
from typing import Self

from mtnas.errors import CancelledError, LeaseLostError, StoreError
from mtnas.store import Lease, Store

_log = logging.getLogger(__name__)


class StopReason(StrEnum):
    """Why work must stop before it is done."""

    LOST = "lost"
    CANCEL = "cancel"
    PAUSE = "pause"
    RELEASE = "release"
    TIMEOUT = "timeout"


class Heartbeat:
    """Keeps one lease alive while used as a context.

    Args:
        store: where the lease is.
        lease: the lease to renew.
        lease_s: seconds a renewal adds.
        every_s: seconds between renewals.
        shutdown: set when this process is asked to end; the job then goes back to the queue.
        timeout_s: seconds the work may take.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        *,
        lease_s: float,
        every_s: float,
        shutdown: threading.Event,
        timeout_s: float | None = None,
    ) -> None:
        self._store, self._lease = store, lease
        self._lease_s, self._every_s, self._timeout_s = lease_s, every_s, timeout_s
        self._shutdown = shutdown
        self._done = threading.Event()
        self._began = self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self.reason: StopReason | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Go on, or stop: called between any two steps of the work, and while waiting.

        Raises:
            LeaseLostError: somebody else has the job; write nothing.
            CancelledError: stop for the reason in ``reason``.
        """
        if self.reason is None and self._shutdown.is_set():
            self.reason = StopReason.RELEASE
        if self.reason is None:
            return
        where = f"job {self._lease.job_id}"
        if self.reason is StopReason.LOST:
            raise LeaseLostError(
                expected=f"attempt {self._lease.attempt} to hold it", found="a lost lease", where=where
            )
        raise CancelledError(expected="the job to go on", found=f"a request to stop ({self.reason})", where=where)

    def _beat(self) -> None:
        while not self._done.wait(self._every_s):
            self.reason = self._renew() or self._late()
            if self.reason is not None:
                _log.info("work must stop", extra={"job_id": self._lease.job_id, "reason": self.reason})
            if self.reason is StopReason.LOST:
                return

    def _renew(self) -> StopReason | None:
        try:
            signal = self._store.leases.renew(self._lease, lease_s=self._lease_s)
        except LeaseLostError:
            return StopReason.LOST
        except StoreError as error:
            # The database may come back; whether it did in time is a matter of our own clock.
            _log.warning("renewing failed", extra={"job_id": self._lease.job_id, "error": str(error)})
            # In time is generous: reapers, too, wait for a lease's time after the database was away, and whoever comes
            # later than that cannot write.
            return StopReason.LOST if time.monotonic() - self._renewed > 2 * self._lease_s else self.reason
        self._renewed = time.monotonic()
        if signal.cancel:
            return StopReason.CANCEL
        return StopReason.PAUSE if signal.pause else self.reason

    def _late(self) -> StopReason | None:
        if self._timeout_s is not None and time.monotonic() - self._began > self._timeout_s:
            return StopReason.TIMEOUT
        return None
