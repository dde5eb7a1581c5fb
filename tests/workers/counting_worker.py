"""A worker process whose jobs count to a number, one event a step: the real loop, heartbeat and reaper, quick work."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from mtnas import json_logs
from mtnas.errors import DataError, DivergedError
from mtnas.processes import set_on_signal
from mtnas.store import Holding, JobKind, Store
from mtnas.store.jobs.reaper import Reaper
from workers.loop import Worker
from workers.settings import Settings


def count(store: Store, holding: Holding, check: Callable[[], None]) -> None:
    """Go on where the last attempt stopped; one event a step. ``hold`` in the spec: never look at ``check``."""
    job = holding.job
    done = sum(event.kind == "step" for event in store.events.after(job.id, limit=10_000))
    for step in range(done, job.spec["steps"]):
        if not job.spec.get("deaf"):
            check()
        holding.event("step", {"step": step, "process": os.getpid()})
        time.sleep(job.spec.get("pause_s", 0.05))
    match job.spec.get("then"):
        case "data_error":
            raise DataError(expected="numbers", found="'x'", where="column 'age', row 3")
        case "diverged":
            raise DivergedError(expected="finite losses", found="NaN", where="trial 7")
        case "bug":
            raise ZeroDivisionError("secret")
        case "memory":
            raise MemoryError


def main() -> None:
    """Work until a signal comes."""
    json_logs.configure()
    settings, shutdown = Settings(), threading.Event()
    set_on_signal(shutdown)
    with Store.open(settings.database, artifacts=settings.artifacts) as store:
        reaper = Reaper(store.leases, every_s=settings.reap_s, shutdown=shutdown, wait_s=settings.retry_s)
        reaper.start()
        work = {JobKind.SEARCH: lambda holding, check: count(store, holding, check)}
        Worker(store, settings, name=f"test/{os.getpid()}", work_by_kind=work, shutdown=shutdown).run()


if __name__ == "__main__":
    sys.exit(main())
