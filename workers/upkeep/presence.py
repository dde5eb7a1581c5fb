"""Presence: tells every so many seconds that this worker is there, and once that it leaves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import mtnas
from mtnas.errors import StoreError
from mtnas.store import JobKind, Store

_log = logging.getLogger(__name__)


class Presence:
    """Beats until ``shutdown`` is set.

    Args:
        name: of the worker.
        kinds: of the jobs that it takes.
        devices: that it trains on.
    """

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        kinds: Sequence[JobKind],
        devices: Sequence[str],
        every_s: float,
        shutdown: threading.Event,
    ) -> None:
        self._store, self._name, self._kinds, self._devices = store, name, tuple(kinds), tuple(devices)
        self._every_s, self._shutdown = every_s, shutdown
        self._thread = threading.Thread(target=self._work, name="presence", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, after ``shutdown`` was set."""
        self._thread.join()

    def _work(self) -> None:
        while True:
            try:
                self._store.workers.beat(
                    self._name, version=mtnas.__version__, kinds=self._kinds, devices=self._devices
                )
                if self._shutdown.wait(self._every_s):
                    self._store.workers.leave(self._name)
                    return
            except StoreError as error:
                _log.warning("beat failed", extra={"error": str(error)})
                if self._shutdown.wait(self._every_s):
                    return
