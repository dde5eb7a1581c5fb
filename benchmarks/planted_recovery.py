"""Which schemes find planted clusters of tasks, and share everything where there is nothing to separate.

Six tasks by the generator of the MMoE paper (PROTOCOL.md point 7) in two or three clusters. Tasks are clustered by
1 - Jaccard of the parameters that they reach, and compared with the truth by the adjusted Rand index at correlation 0;
at correlation 1 all tasks are one, and the mean Jaccard index tells how much they share. Every scheme runs four
searches in one pack. Their derived routes are trained anew with three seeds, and the cheapest of those whose median
error on ``valid`` is within 5 % of the lowest is the answer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import Any

import altair
import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from benchmarks.packs import Trained, towers, train_pack
from benchmarks.planted_schemes import SCHEMES, WIDTH
from benchmarks.publishing import publish
from mtnas.data import DataAccess, EncodedData, load
from mtnas.routes import BlockKind, Route, RouteGraph, canonical_route, cost, shape_graph, task_path
from mtnas.routes.named import NAMED_ROUTES, Size
from mtnas.spaces import SearchSpace
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.recipe import Recipe
from mtnas.training.rows import ResidentData
from mtnas.training.searchers import make_search
from mtnas.training.shared_weights import Ground
from mtnas.trials import Settings

SEEDS, SEARCHES, RETRAINED, LR, TOLERANCE = 5, 4, 3, 2e-2, 0.05
PLANTED = ((0.0, 2), (0.0, 3), (1.0, 2))
TASKS = [Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}", tower=()) for i in range(6)]
RECIPE = Recipe(batch_size=256, epochs=12)
NAME = "planted_recovery"


def main() -> None:
    """Measure, and write ``results/planted_recovery.{json,md,svg}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(asked.processes) as pool:
        for seed in range(asked.seeds):
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
            tell(found, seeds=seed + 1, processes=asked.processes)


def tell(found: Sequence[dict[str, Any]], *, seeds: int, processes: int) -> None:
    """Publish what is known after so many seeds."""
    rows = [summary(scheme, found) for scheme in SCHEMES]
    publish(
        NAME,
        title="Planted recovery",
        reading=reading(rows),
        facts={
            "tasks": len(TASKS),
            "seeds": seeds,
            "searches per seed": SEARCHES,
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
    routes = searched(scheme, space, data, seed)
    search_seconds = time.process_time() - begun
    of_route = {route.text: route for route in routes}
    trained = {text: retrain(data, space.graph, route) for text, route in of_route.items()}
    errors = {
        text: [fmean(metrics["rmse"] for metrics in one.valid.values()) for one in found]
        for text, found in trained.items()
    }
    answer = cheapest_of_the_best(space, of_route, errors)
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
        "mean_jaccard": float(overlap[~np.eye(len(TASKS), dtype=bool)].mean()),
        "gain": gain(trained[answer.text], single.trained),
        "parameters": space.cost(answer).num_params / single.num_params,
        "search_trainings": search_seconds / single.seconds,
        "of_each_search": [adjusted_rand_score(truth, clustered(jaccard(space, route), clusters)) for route in routes],
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
    trained = retrain(data, single.graph, single.route)
    seconds = (time.process_time() - begun) / RETRAINED
    return Reference(
        trained=trained, num_params=cost(single.graph, single.route, data.inputs).num_params, seconds=seconds
    )


def searched(scheme: str, space: SearchSpace, data: EncodedData, seed: int) -> list[Route]:
    """The derived route of every search."""
    variants = SCHEMES[scheme].search.variants()
    searches = [variants[k % len(variants)] for k in range(SEARCHES)]
    made = make_search(
        Ground(
            space=space,
            inputs=data.inputs,
            settings=[Settings(lr=LR, seed=seed * 100 + k, data_seed=seed * 100 + k) for k in range(SEARCHES)],
            tasks=TASKS,
            data=ResidentData.of(data, torch.device("cpu")),
            recipe=RECIPE,
        ),
        searches,
    )
    for _ in made.run():
        pass
    return [canonical_route(space.graph, proposals[0].route) for proposals in made.proposals(0) if proposals]


def retrain(data: EncodedData, graph: RouteGraph, route: Route) -> list[Trained]:
    """The route trained anew, once per seed."""
    settings = [Settings(lr=LR, seed=seed, data_seed=seed) for seed in range(RETRAINED)]
    return train_pack(data, TASKS, shape_graph(graph, route), [route] * RETRAINED, settings, RECIPE)


def cheapest_of_the_best(space: SearchSpace, routes: dict[str, Route], errors: dict[str, list[float]]) -> Route:
    """The route of fewest parameters among those whose median error is close to the lowest."""
    bound = (1 + TOLERANCE) * min(median(found) for found in errors.values())
    close = [text for text, found in errors.items() if median(found) <= bound]
    return routes[min(close, key=lambda text: (space.cost(routes[text]).num_params, median(errors[text])))]


def gain(trained: Sequence[Trained], reference: Sequence[Trained]) -> float:
    """Mean over tasks of the relative fall of the test error, medians over seeds."""
    gains = []
    for task in (t.name for t in TASKS):
        mine, single = (median(one.test[task]["rmse"] for one in of_both) for of_both in (trained, reference))
        gains.append((single - mine) / single)
    return fmean(gains)


def jaccard(space: SearchSpace, route: Route) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Overlap of the weights that every two tasks reach; what they do with equal weights does not count."""
    slots, blocks = space.graph.slot_of(), route.block_of()

    def weights(task: str) -> dict[str, int]:
        reached = task_path(space.graph, route, task).slots
        used = [name for name in reached if blocks[name].kind is not BlockKind.IDENTITY]
        return {slots[name].weights_of: blocks[name].num_params(WIDTH) for name in used}

    paths = [weights(task.name) for task in TASKS]
    return np.array([[_overlap(a, b) for b in paths] for a in paths])


def _overlap(a: dict[str, int], b: dict[str, int]) -> float:
    every = a | b
    return sum(every[name] for name in a.keys() & b.keys()) / max(sum(every.values()), 1)


def clustered(overlap: np.ndarray[Any, np.dtype[np.float64]], clusters: int) -> list[int]:
    """Average-linkage clusters of 1 - Jaccard; tasks that share everything are one cluster."""
    distance = 1 - overlap
    if distance.max() == 0:
        return [0] * len(overlap)
    labels: list[int] = fcluster(linkage(squareform(distance, checks=False), "average"), clusters, "maxclust").tolist()
    return labels


def summary(scheme: str, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of the table: means over seeds."""

    def mean(figure: str, correlation: float, clusters: int) -> float:
        wanted = (scheme, correlation, clusters)
        runs = [run for run in found if (run["scheme"], run["correlation"], run["clusters"]) == wanted]
        return round(fmean(run[figure] for run in runs), 3)

    row: dict[str, Any] = {"scheme": scheme}
    for clusters in (2, 3):
        row[f"ARI, {clusters} clusters"] = mean("adjusted_rand", 0.0, clusters)
        row[f"gain, {clusters} clusters"] = mean("gain", 0.0, clusters)
        row[f"parameters, {clusters} clusters"] = mean("parameters", 0.0, clusters)
    row["Jaccard, p = 1"] = mean("mean_jaccard", 1.0, 2)
    row["gain, p = 1"] = mean("gain", 1.0, 2)
    row["search, in trainings"] = mean("search_trainings", 0.0, 2)
    return row


def reading(rows: Sequence[dict[str, Any]]) -> str:
    """What the table says of the marks of PROTOCOL.md point 7."""
    two = [row["scheme"] for row in rows if row["ARI, 2 clusters"] >= 0.9]
    three = [row["scheme"] for row in rows if row["ARI, 3 clusters"] >= 0.9]
    shared = [row["scheme"] for row in rows if row["Jaccard, p = 1"] >= 0.9]
    both = [scheme for scheme in two if scheme in shared]
    return (
        f"Mean adjusted Rand index of at least .9 with two clusters: {', '.join(two) or 'none'}; with three: "
        f"{', '.join(three) or 'none'}. "
        f"Mean Jaccard index of at least .9 at correlation 1: {', '.join(shared) or 'none'}. "
        f"Both with two clusters: {', '.join(both) or 'none'}. Gains are over single-task networks of the same width; "
        "parameters are a share of theirs; a search is counted in trainings of such a network."
    )


def plot(found: Sequence[dict[str, Any]]) -> altair.LayerChart:
    """Every seed's index, and the mean."""
    points = [
        {
            "scheme": run["scheme"],
            "instance": f"p = {run['correlation']:g}, {run['clusters']} clusters",
            "index": run["mean_jaccard"] if run["correlation"] == 1 else run["adjusted_rand"],
        }
        for run in found
    ]
    base = altair.Chart(altair.Data(values=points)).encode(
        y=altair.Y("scheme:N", title=None),
        x=altair.X("index:Q", title="adjusted Rand index (p = 0) or mean Jaccard index (p = 1)"),
        color=altair.Color("instance:N", title=None),
        yOffset="instance:N",
    )
    return base.mark_point(opacity=0.5) + base.mark_tick(thickness=3).encode(x="mean(index):Q")


if __name__ == "__main__":
    main()
