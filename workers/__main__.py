"""``python -m workers``: one worker process, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import ExitStack

from mtnas import json_logs
from mtnas.errors import MtnasError
from mtnas.processes import end_with_parent, set_on_signal, worker_name
from mtnas.store import Store
from mtnas.store.jobs.reaper import Reaper
from workers.loop import Worker
from workers.settings import Settings
from workers.upkeep.janitor import Janitor
from workers.upkeep.presence import Presence
from workers.work import open_work

_log = logging.getLogger("workers")


def main() -> int:
    """Work until told to end; gives the exit status."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    json_logs.configure()
    end_with_parent()
    shutdown = threading.Event()
    try:
        settings = Settings()
        with ExitStack() as stack:
            store = stack.enter_context(Store.open(settings.database, artifacts=settings.artifacts))
            work_by_kind, rest = stack.enter_context(open_work(settings, store))
            # After Ray has started: it puts a handler of its own on SIGTERM.
            set_on_signal(shutdown)
            reaper = Reaper(
                store.leases,
                every_s=settings.reap_s,
                shutdown=shutdown,
                wait_s=settings.retry_s,
                grace_s=settings.lease_s,
            )
            reaper.start()
            janitor = Janitor(store, settings, shutdown=shutdown)
            janitor.start()
            name = worker_name(os.getpid())
            presence = Presence(
                store,
                name=name,
                kinds=settings.kinds,
                devices=(settings.executor,),
                every_s=settings.heartbeat_s,
                shutdown=shutdown,
            )
            presence.start()
            _log.info("worker ready", extra={"worker": name})
            Worker(store, settings, name=name, work_by_kind=work_by_kind, shutdown=shutdown, rest=rest).run()
            reaper.join()
            janitor.join()
            presence.join()
    except MtnasError as error:
        _log.error(str(error))
        return 2
    _log.info("worker ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
