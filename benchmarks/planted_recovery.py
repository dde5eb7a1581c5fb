"""Which schemes find planted clusters of tasks, and share everything where there is nothing to separate.

Six tasks by the generator of the MMoE paper (PROTOCOL.md point 7) in two or three clusters. Tasks are clustered by
1 - Jaccard of the parameters that they reach, and compared with the truth by the adjusted Rand index at correlation 0;
at correlation 1 all tasks are one, and the mean Jaccard index tells how much they share.

One rule for all schemes: six searches run in one pack (Sparse Sharing, which trains a network per task: one). The three
derived routes of lowest inherited error on ``search`` are trained anew, six times each. Small sub-networks often end
in a poor local minimum, which says nothing of the route, so a route's error is the mean over the better half of its
trainings on ``valid``. The answer is the cheapest route whose error is within one standard error of the lowest
(Breiman et al., Classification and Regression Trees, 1984, section 3.4.3). Its gain on ``test`` is over all its
trainings. Costs are processor seconds, so that a run may be paused.

Rule and settings were chosen on the instances of seeds 0, 1 and 2 (``--first 0 --seeds 3``). The published seeds begin
at 20, and were run once, with nothing changed afterwards.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from benchmarks.packs import Trained, towers, train_pack
from benchmarks.planted_schemes import SCHEMES, SEARCHES, WIDTH
from benchmarks.planted_table import plot, reading, summary
from benchmarks.publishing import publish
from mtnas.data import DataAccess, EncodedData, load
from mtnas.routes import BlockKind, Route, RouteGraph, canonical_route, cost, shape_graph, task_path
from mtnas.routes.named import NAMED_ROUTES, Size
from mtnas.routes.widths import node_widths
from mtnas.spaces import SearchSpace
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.recipe import Recipe
from mtnas.training.rows import ResidentData
from mtnas.training.searchers import make_search
from mtnas.training.shared_weights import Ground
from mtnas.trials import Settings

FIRST, SEEDS = 20, 5
FINALISTS, RETRAINED, LR = 3, 6, 2e-2
PLANTED = ((0.0, 2), (0.0, 3), (1.0, 2))
TASKS = [Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}", tower=()) for i in range(6)]
RECIPE = Recipe(batch_size=256, epochs=12)
NAME = "planted_recovery"


def main() -> None:
    """Measure, and write ``results/planted_recovery.{json,md,svg}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(asked.processes) as pool:
        seeds = range(asked.first, asked.first + asked.seeds)
        for seed in seeds:
            for correlation, clusters in PLANTED:
                load_planted(seed, correlation, clusters, Path(folder))
            runs = [
                pool.submit(measure, scheme, seed, *instance, Path(folder))
                for instance in PLANTED
                for scheme in SCHEMES
            ]
            for run in runs:
                found.append(run.result())
                print(f"{len(found)}/{len(runs) * asked.seeds} {found[-1]}", flush=True)
            tell(found, seeds=range(asked.first, seed + 1), processes=asked.processes)


def tell(found: Sequence[dict[str, Any]], *, seeds: range, processes: int) -> None:
    """Publish what is known after these seeds."""
    rows = [summary(scheme, found) for scheme in SCHEMES]
    publish(
        NAME,
        title="Planted recovery",
        reading=reading(rows),
        facts={
            "tasks": len(TASKS),
            "seeds": f"{seeds[0]} to {seeds[-1]}",
            "seeds that rule and settings were chosen on": "0 to 2",
            "searches per seed": SEARCHES,
            "finalists": FINALISTS,
            "trainings of each": RETRAINED,
            "width": WIDTH,
            "learning rate": LR,
            "epochs": RECIPE.epochs,
        },
        rows=rows,
        runs=found,
        chart=plot(found),
        device=f"cpu, {processes} processes of one thread",
    )


def load_planted(seed: int, correlation: float, clusters: int, folder: Path) -> EncodedData:
    """The rows of one planted instance."""
    options = {"num_tasks": len(TASKS), "clusters": clusters, "correlation": correlation, "seed": seed}
    return load(
        DataSpec(source=CatalogueSource(name="planted", options=options)), TASKS, access=DataAccess(cache=folder)
    )


def measure(scheme: str, seed: int, correlation: float, clusters: int, folder: Path) -> dict[str, Any]:
    """One scheme on one instance."""
    torch.set_num_threads(1)
    data = load_planted(seed, correlation, clusters, folder)
    space = SCHEMES[scheme].build(TASKS, clusters, data.inputs)
    begun = time.process_time()
    derived = searched(scheme, space, data, seed)
    search_seconds = time.process_time() - begun
    finalists = {found.route.text: found.route for found in sorted(derived, key=lambda found: found.error)}
    finalists = dict(list(finalists.items())[:FINALISTS])
    begun = time.process_time()
    trained = retrain(data, space.graph, list(finalists.values()))
    training_seconds = time.process_time() - begun
    errors = {text: [mean_error(one.valid) for one in found] for text, found in trained.items()}
    answer = cheapest_of_the_best(space, finalists, errors)
    single = reference(seed, correlation, clusters, folder)
    overlap = jaccard(space, answer)
    assert data.truth is not None
    truth = data.truth["clusters"]
    return {
        "scheme": scheme,
        "correlation": correlation,
        "clusters": clusters,
        "seed": seed,
        "adjusted_rand": adjusted_rand_score(truth, clustered(overlap, clusters)),
        "mean_jaccard": mean_of_pairs(overlap),
        "gain": gain(trained[answer.text], single.trained),
        "parameters": space.cost(answer).num_params / single.num_params,
        "search_trainings": search_seconds / single.seconds,
        "all_trainings": (search_seconds + training_seconds) / single.seconds,
        "of_each_search": [
            described(space, found, truth, clusters) | {"valid_errors": errors.get(found.route.text, [])}
            for found in derived
        ],
        "route": answer.text,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Single-task networks of the same width: figures, parameters, and processor seconds of one training."""

    trained: Sequence[Trained]
    num_params: int
    seconds: float


@cache
def reference(seed: int, correlation: float, clusters: int, folder: Path) -> Reference:
    """What gains are measured against, once per process and instance."""
    data = load_planted(seed, correlation, clusters, folder)
    single = NAMED_ROUTES["single_task"](towers(TASKS), Size(layers=2, width=WIDTH))
    begun = time.process_time()
    trained = retrain(data, single.graph, [single.route])[single.route.text]
    seconds = (time.process_time() - begun) / RETRAINED
    return Reference(
        trained=trained, num_params=cost(single.graph, single.route, data.inputs).num_params, seconds=seconds
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The route of one search, and its mean error on ``search`` with inherited weights."""

    route: Route
    error: float


def described(space: SearchSpace, found: Derived, truth: Sequence[int], clusters: int) -> dict[str, Any]:
    """What one search found."""
    overlap = jaccard(space, found.route)
    return {
        "route": found.route.text,
        "adjusted_rand": adjusted_rand_score(truth, clustered(overlap, clusters)),
        "mean_jaccard": mean_of_pairs(overlap),
        "parameters": space.cost(found.route).num_params,
        "inherited_error": found.error,
    }


def searched(scheme: str, space: SearchSpace, data: EncodedData, seed: int) -> list[Derived]:
    """The derived route of every search."""
    variants = SCHEMES[scheme].search.variants()
    searches = [variants[k % len(variants)] for k in range(SCHEMES[scheme].searches)]
    made = make_search(
        Ground(
            space=space,
            inputs=data.inputs,
            settings=[Settings(lr=LR, seed=seed * 100 + k, data_seed=seed * 100 + k) for k in range(len(searches))],
            tasks=TASKS,
            data=ResidentData.of(data, torch.device("cpu")),
            recipe=RECIPE,
        ),
        searches,
    )
    for _ in made.run():
        pass
    return [
        Derived(route=canonical_route(space.graph, found[0].route), error=mean_error(found[0].inherited))
        for found in made.proposals(0)
        if found
    ]


def retrain(data: EncodedData, graph: RouteGraph, routes: Sequence[Route]) -> dict[str, list[Trained]]:
    """By route, what comes of training it anew with every seed; routes of one shape train in one pack."""
    shapes: dict[str, tuple[RouteGraph, list[Route]]] = {}
    for route in routes:
        shape = shape_graph(graph, route)
        shapes.setdefault(shape.digest, (shape, []))[1].append(route)
    trained: dict[str, list[Trained]] = {}
    for shape, members in shapes.values():
        settings = [Settings(lr=LR, seed=seed, data_seed=seed) for seed in range(RETRAINED)] * len(members)
        pack = [route for route in members for _ in range(RETRAINED)]
        for route, one in zip(pack, train_pack(data, TASKS, shape, pack, settings, RECIPE), strict=True):
            trained.setdefault(route.text, []).append(one)
    return trained


def mean_error(metrics: Mapping[str, Mapping[str, float]]) -> float:
    """Mean over tasks of the root mean square error."""
    return fmean(of_task["rmse"] for of_task in metrics.values())


def better_half(errors: Sequence[float]) -> list[float]:
    """Of a route's trainings."""
    return sorted(errors)[: (len(errors) + 1) // 2]


def cheapest_of_the_best(space: SearchSpace, routes: dict[str, Route], errors: dict[str, list[float]]) -> Route:
    """The route of fewest parameters among those whose error is within one standard error of the lowest."""
    halves = {text: better_half(found) for text, found in errors.items()}
    error = {text: fmean(half) for text, half in halves.items()}
    lowest = min(error, key=error.__getitem__)
    half = halves[lowest]
    bound = error[lowest] + (stdev(half) / sqrt(len(half)) if len(half) > 1 else 0.0)
    close = [text for text, found in error.items() if found <= bound]
    return routes[min(close, key=lambda text: (space.cost(routes[text]).num_params, error[text]))]


def gain(trained: Sequence[Trained], reference: Sequence[Trained]) -> float:
    """Mean over tasks of the relative fall of the test error, means over all trainings."""
    gains = []
    for task in (t.name for t in TASKS):
        mine, single = (fmean(one.test[task]["rmse"] for one in of_both) for of_both in (trained, reference))
        gains.append((single - mine) / single)
    return fmean(gains)


def jaccard(space: SearchSpace, route: Route) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Overlap of the weights that every two tasks reach; what they do with equal weights does not count."""
    assert space.inputs is not None
    slots, blocks, widths = space.graph.slot_of(), route.block_of(), node_widths(space.graph, space.inputs.width)

    def weights(task: str) -> dict[str, int]:
        reached = task_path(space.graph, route, task).slots
        used = [name for name in reached if blocks[name].kind is not BlockKind.IDENTITY]
        return {slots[name].weights_of: blocks[name].num_params(widths[slots[name].reads] or 0) for name in used}

    paths = [weights(task.name) for task in TASKS]
    return np.array([[_overlap(a, b) for b in paths] for a in paths])


def _overlap(a: dict[str, int], b: dict[str, int]) -> float:
    every = a | b
    return sum(every[name] for name in a.keys() & b.keys()) / max(sum(every.values()), 1)


def mean_of_pairs(overlap: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Mean over all pairs of different tasks."""
    return float(overlap[~np.eye(len(TASKS), dtype=bool)].mean())


def clustered(overlap: np.ndarray[Any, np.dtype[np.float64]], clusters: int) -> list[int]:
    """Average-linkage clusters of 1 - Jaccard; tasks that share everything are one cluster."""
    distance = 1 - overlap
    if distance.max() == 0:
        return [0] * len(overlap)
    labels: list[int] = fcluster(linkage(squareform(distance, checks=False), "average"), clusters, "maxclust").tolist()
    return labels


if __name__ == "__main__":
    main()
