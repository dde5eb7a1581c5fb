"""The reaper: gives the jobs of dead workers back to the queue. Workers run it, and the web process too."""

from __future__ import annotations

import logging
import threading
import time

from mtnas.errors import StoreError
from mtnas.store.jobs.leases import LEASE_S, Leases

_log = logging.getLogger(__name__)


class Reaper:
    """Looks for expired leases every so many seconds until ``shutdown`` is set. Any number may run at once.

    Leases also expire while the database does not answer, which is not their holders' fault: after that they get a
    lease's time to renew.

    Args:
        leases: of the store.
        every_s: seconds between two looks.
        shutdown: set when it is to end.
        wait_s: how long a job waits after its first attempt in vain.
        grace_s: how long leases are left alone after the database was away.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        every_s: float,
        shutdown: threading.Event,
        wait_s: float = 0.0,
        grace_s: float = LEASE_S,
    ) -> None:
        self._leases, self._every_s, self._shutdown = leases, every_s, shutdown
        self._wait_s, self._grace_s, self._grace_until = wait_s, grace_s, 0.0
        self._thread = threading.Thread(target=self._work, name="reaper", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, after ``shutdown`` was set."""
        self._thread.join()

    def look(self) -> None:
        """Look once."""
        if time.monotonic() < self._grace_until:
            return
        try:
            for job in self._leases.reap(wait_s=self._wait_s):
                _log.warning("lease expired", extra={"job_id": job.id, "attempt": job.attempt, "state": job.state})
        except StoreError as error:
            self._grace_until = time.monotonic() + self._grace_s
            _log.warning("reaping failed", extra={"error": str(error)})

    def _work(self) -> None:
        while True:
            self.look()
            if self._shutdown.wait(self._every_s):
                return
