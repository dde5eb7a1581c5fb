"""The janitor: removes files that no row names any more, and encoded data that nobody has read for long."""

from __future__ import annotations

import logging
import threading
import time

from mtnas.data.encoding.eviction import evict_encoded
from mtnas.data.sources.remote_files import evict_copies
from mtnas.errors import StoreError
from mtnas.store import Store
from workers.settings import Settings

_log = logging.getLogger(__name__)
_DAY_S = 86_400.0


class Janitor:
    """Tidies up every so many seconds until ``shutdown`` is set. Any number may do so at once."""

    def __init__(self, store: Store, settings: Settings, *, shutdown: threading.Event) -> None:
        self._store, self._settings, self._shutdown = store, settings, shutdown
        self._thread = threading.Thread(target=self._work, name="janitor", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, after ``shutdown`` was set."""
        self._thread.join()

    def tidy(self) -> None:
        """Once: deleted jobs, unused uploads, files without rows, encoded data beyond the limit, old audit entries."""
        settings = self._settings
        purged = self._store.trash.purge(older_than_s=settings.trash_days * _DAY_S)
        self._store.audit.forget(older_than_s=settings.audit_days * _DAY_S)
        self._store.uploads.forget(older_than_s=settings.garbage_age_s)
        files = self._store.collect_garbage(older_than_s=settings.garbage_age_s)
        data = evict_copies(settings.cache, unused_s=settings.garbage_age_s)
        if settings.cache_mib is not None:
            most = settings.cache_mib * 2**20
            data += evict_encoded(settings.cache, most_bytes=most, unused_s=settings.garbage_age_s, now_s=time.time())
        if purged or files or data:
            _log.info("tidied up", extra={"jobs": list(purged), "files": len(files), "data": list(data)})

    def _work(self) -> None:
        while not self._shutdown.wait(self._settings.tidy_s):
            try:
                self.tidy()
            except (StoreError, OSError) as error:
                _log.warning("tidying up failed", extra={"error": str(error)})
