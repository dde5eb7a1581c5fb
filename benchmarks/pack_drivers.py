"""What it costs to spread small packs over two processors by actors that live on, and by Ray Tune.

Generations of equal packs, one generation after another as a sampled search runs them, on one local cluster; the two
drivers take turns. The packs are tiny, so that what is measured is the driver.

    OMP_NUM_THREADS=1 python -m benchmarks.pack_drivers
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

import search_spaces
from benchmarks.publishing import publish
from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.data_spec import CatalogueSource, DataSpec
from mtnas.routes import canonical_route, shape_graph
from mtnas.run import Executor
from mtnas.run.packs.pack_events import TrainResult
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.tasks import Task, TaskKind
from mtnas.training.recipe import Recipe
from mtnas.trials import Candidate, Settings
from workers.ray.cluster import cluster
from workers.settings import Settings as WorkerSettings

TASKS = tuple(Task(name=f"t{n}", kind=TaskKind.REGRESSION, label=f"task_{n}", tower=(8,)) for n in range(2))
GENERATIONS, PACKS, ROUNDS = 5, 8, 3


def packs(generation: int) -> list[PackTask]:
    """A generation, one candidate a pack."""
    space = search_spaces.build("mtnas", TASKS, {"layers": 1, "subnets": 2, "width": 8})
    tasks = []
    for n in range(PACKS):
        route = canonical_route(space.graph, space.sample(np.random.default_rng(n)))
        work = TrainWork(
            graph=shape_graph(space.graph, route),
            candidates=(Candidate(route=route, settings=Settings(lr=1e-2, seed=n)),),
            parts=("train",),
            evaluate_on=("valid",),
        )
        tasks.append(PackTask(key=f"{generation}/{n}", work=work, tasks=TASKS, recipe=Recipe(batch_size=64, epochs=4)))
    return tasks


def measured(executor: Executor, data: EncodedData) -> tuple[list[float], int]:
    """Seconds of every generation, and in how many processes they ran."""
    seconds, processes = [], set()
    for generation in range(GENERATIONS):
        began = time.monotonic()
        for event in executor.run(packs(generation), data):
            if isinstance(event, TrainResult):
                processes.add(event.place.process)
        seconds.append(time.monotonic() - began)
    return seconds, len(processes)


@contextmanager
def driver(name: str) -> Iterator[Executor]:
    """A fresh executor; Ray must be there when this is called, since it reads its environment when imported."""
    from workers.ray.actor_pool import ActorPool
    from workers.ray.ray_executor import RayExecutor
    from workers.ray.tune.tune_executor import TuneExecutor

    if name == "actors":
        pool = ActorPool()
        yield RayExecutor(pool, max_packs=2, num_gpus=0.0, check=lambda: None)
        pool.close()
    else:
        executor = TuneExecutor(max_packs=2, num_gpus=0.0, wait_s=0.0, check=lambda: None)
        yield executor
        executor.close()


def main() -> None:
    """Measure and publish."""
    home = Path(tempfile.mkdtemp())
    source = CatalogueSource(name="planted", options={"rows": 2000, "num_tasks": 2, "dims": 8})
    data = load(DataSpec(source=source), TASKS, access=DataAccess(cache=home))
    found: dict[str, list[tuple[list[float], int]]] = {"actors": [], "tune": []}
    with cluster(WorkerSettings(home=home, ray_cpus=2, ray_object_store_mib=100)):
        for _ in range(ROUNDS):
            for name, runs in found.items():
                with driver(name) as executor:
                    runs.append(measured(executor, data))
    rows = [
        {
            "driver": name,
            "first generation s": median(seconds[0] for seconds, _ in runs),
            "later generations s": median(second for seconds, _ in runs for second in seconds[1:]),
            "processes started": median(processes for _, processes in runs),
        }
        for name, runs in found.items()
    ]
    first, later = (rows[1][column] / rows[0][column] for column in ("first generation s", "later generations s"))  # type: ignore[operator]
    publish(
        "pack_drivers",
        title="Packs by actors and by Ray Tune",
        facts={"packs a generation": PACKS, "generations": GENERATIONS, "rounds": ROUNDS, "median": "over rounds"},
        rows=rows,
        reading=f"Ray Tune takes {first:.1f} times as long for the first generation, the start of actors included, "
        f"and {later:.1f} times as long for later ones. Actors are the default.",
        device="cpu, two actors of one thread",
    )


if __name__ == "__main__":
    main()
