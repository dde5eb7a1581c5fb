"""``python -m workers``: one worker process, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from contextlib import ExitStack

from mtnas.errors import MtnasError
from mtnas.processes import end_with_parent, set_on_signal
from mtnas.store import Store
from workers import logs
from workers.loop import Worker
from workers.settings import Settings
from workers.upkeep.janitor import Janitor
from workers.upkeep.reaper import Reaper
from workers.work import open_work

_log = logging.getLogger("workers")


def main() -> int:
    """Work until told to end; gives the exit status."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logs.configure()
    end_with_parent()
    shutdown = threading.Event()
    try:
        settings = Settings()
        with ExitStack() as stack:
            store = stack.enter_context(Store.open(settings.database, artifacts=settings.artifacts))
            work_by_kind, rest = stack.enter_context(open_work(settings, store))
            # After Ray has started: it puts a handler of its own on SIGTERM.
            set_on_signal(shutdown)
            reaper = Reaper(store, every_s=settings.reap_s, shutdown=shutdown)
            reaper.start()
            janitor = Janitor(store, settings, shutdown=shutdown)
            janitor.start()
            name = f"{socket.gethostname()}/{os.getpid()}"
            _log.info("worker ready", extra={"worker": name})
            Worker(store, settings, name=name, work_by_kind=work_by_kind, shutdown=shutdown, rest=rest).run()
            reaper.join()
            janitor.join()
    except MtnasError as error:
        _log.error(str(error))
        return 2
    _log.info("worker ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
