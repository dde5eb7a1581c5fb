"""How much of a sampled search is training: the share of its actors' time that is spent inside training steps.

Searches of 200 trials, TPE and random, as real jobs: a worker's loop with heartbeat, SQLite and two Ray actors. Every
generation ends at a barrier, where one actor waits for the other and both for the searcher. Here it has 32 trials; with
the default of 16, and trials of half as many rows, 81 to 83 % were training steps on the same machine.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import search_spaces
from benchmarks.publishing import publish
from mtnas.data import EncodedData
from mtnas.run import Executor
from mtnas.run.packs.pack_events import PackEvent, TrainResult
from mtnas.run.packs.pack_task import PackTask
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec, ResourcesSpec
from mtnas.store import JobKind, Store
from workers.loop import Worker
from workers.ray.cluster import cluster
from workers.settings import Settings
from workers.training_job import Backend, Training

TRIALS, ACTORS, ROWS = 200, 2, 60_000
GENERATION = 32
SPEC: dict[str, Any] = {
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": ROWS, "dims": 32}}},
    "tasks": [{"name": f"task_{i}", "kind": "regression", "tower": [16]} for i in range(4)],
    "space": {"name": "mtnas", "options": {"layers": 2, "subnets": 4, "width": 64}},
    "training": {"batch_size": 512, "epochs": 3, "lr": {"grid": [0.001, 0.002, 0.004]}, "extend": 0},
    "protocol": {"level": "quick", "baselines": ["shared_bottom"], "seeds": 1, "finalists": 1},
    "resources": {"device": "cpu", "max_packs": ACTORS},
    "export": {"top": 0},
}


@dataclass(slots=True)
class Times:
    """Seconds of the search's packs, summed over actors."""

    steps: float = 0.0
    packs: float = 0.0
    num_packs: int = 0


class TimedBackend:
    """A backend whose packs are looked at as they end."""

    def __init__(self, backend: Backend, times: Times) -> None:
        self._backend, self._times = backend, times

    def device(self, asked: ResourcesSpec) -> str:
        """See ``Backend``."""
        return self._backend.device(asked)

    @contextmanager
    def executor(self, resources: ResourcesSpec, *, device: str, check: Callable[[], None]) -> Iterator[Executor]:
        """See ``Backend``."""
        with self._backend.executor(resources, device=device, check=check) as executor:
            yield TimedExecutor(executor, self._times)

    def rest(self) -> None:
        """See ``Backend``."""
        self._backend.rest()


class TimedExecutor:
    """An executor whose packs are looked at as they end."""

    def __init__(self, executor: Executor, times: Times) -> None:
        self._executor, self._times = executor, times

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for event in self._executor.run(tasks, data):
            if isinstance(event, TrainResult) and event.key.startswith("search/"):
                self._times.steps += event.step_seconds
                self._times.packs += sum(o.evaluations[0].costs["device_seconds"] for o in event.outcomes)
                self._times.num_packs += 1
            yield event


def main(trials: int = TRIALS) -> int:
    """Run both searches and say what their time went into; the whole ones are published."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(home=Path(scratch), ray_cpus=ACTORS)
        with cluster(settings), Store.open(settings.database, artifacts=settings.artifacts) as store:
            # Not before the cluster is there: ray reads its environment when it is imported.
            from workers.ray.ray_backend import RayBackend

            # One for both, whose actors hold the processors.
            backend = RayBackend(settings)
            for kind in ("tpe", "random"):
                rows.append(measured(kind, trials, settings, store, backend))
                print(rows[-1], flush=True)
    if trials < TRIALS:
        return 0
    publish(
        "search_overhead",
        title="Share of a sampled search that is spent inside training steps",
        reading=(
            "Shares of wall time x actors during phase `search`. `steps` are training steps alone; `evaluation and "
            "building` is the rest of the actors' work on packs (looks at `valid`, figures on `search` and `valid`, "
            "making networks); `idle` is everything else: database, Ray, the searcher, waiting for a generation's end."
        ),
        facts={"trials": TRIALS, "actors": ACTORS, "rows": ROWS, "batch": 512, "epochs": 3},
        rows=rows,
    )
    return 0


def measured(kind: str, trials: int, settings: Settings, store: Store, backend: Backend) -> dict[str, Any]:
    """One search, and what its time went into."""
    times = Times()
    training = Training(settings, store, TimedBackend(backend, times))
    search = {"kind": kind, "generation": GENERATION}
    spec = expanded(
        JobSpec.model_validate({**SPEC, "name": kind, "search": search, "budget": {"trials": trials}}),
        search_spaces.build,
    )
    job, _ = store.jobs.submit(JobKind.SEARCH, kind, spec.model_dump(mode="json"))
    shutdown = threading.Event()
    threading.Thread(target=_end_with, args=(store, job.id, shutdown), daemon=True).start()
    work = {JobKind.SEARCH: training.search}
    Worker(store, settings, name="benchmark", work_by_kind=work, shutdown=shutdown).run()
    job = store.jobs.get(job.id)
    assert job.state == "succeeded", job.failure
    wall = (_time_of(store, job.id, "search_ended") - _time_of(store, job.id, "phase", "search")).total_seconds()
    whole = wall * ACTORS
    return {
        "search": kind,
        "generation": GENERATION,
        "steps": times.steps / whole,
        "evaluation and building": (times.packs - times.steps) / whole,
        "idle": 1 - times.packs / whole,
        "wall seconds": wall,
        "packs": times.num_packs,
        "trials": trials,
    }


def _end_with(store: Store, job_id: str, shutdown: threading.Event) -> None:
    while not store.jobs.get(job_id).state.is_final:
        time.sleep(0.5)
    shutdown.set()


def _time_of(store: Store, job_id: str, kind: str, phase: str | None = None) -> datetime:
    events = store.events.after(job_id, limit=100_000)
    return next(e.at for e in events if e.kind == kind and (phase is None or e.payload.get("phase") == phase))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
