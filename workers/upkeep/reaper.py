"""The reaper: gives the jobs of dead workers back to the queue."""

from __future__ import annotations

import logging
import threading

from mtnas.errors import StoreError
from mtnas.store import Store

_log = logging.getLogger(__name__)


class Reaper:
    """Looks for expired leases every so many seconds until ``shutdown`` is set. Any number may run at once."""

    def __init__(self, store: Store, *, every_s: float, shutdown: threading.Event) -> None:
        self._store, self._every_s, self._shutdown = store, every_s, shutdown
        self._thread = threading.Thread(target=self._reap, name="reaper", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, after ``shutdown`` was set."""
        self._thread.join()

    def _reap(self) -> None:
        while True:
            try:
                for job in self._store.leases.reap():
                    _log.warning("lease expired", extra={"job_id": job.id, "attempt": job.attempt, "state": job.state})
            except StoreError as error:
                _log.warning("reaping failed", extra={"error": str(error)})
            if self._shutdown.wait(self._every_s):
                return
