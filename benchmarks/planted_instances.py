"""Planted instances, the training of routes on them, and where separation earns something (PROTOCOL.md point 7).

Six tasks by the generator of the MMoE paper. Networks have one layer of sub-networks with eight units: enough for the
labels of one cluster, too few for two. One layer because sub-networks of two layers so narrow end in local minima of
so different errors that routes cannot be told apart by training them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean

import search_spaces
from benchmarks.packs import Trained, towers, train_pack
from mtnas.data import DataAccess, EncodedData, load
from mtnas.routes import Mix, Route, RouteGraph, canonical_route, cost, shape_graph
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.spaces import SearchSpace
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.recipe import Recipe
from mtnas.trials import Settings

TASKS = [Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}", tower=()) for i in range(6)]
RECIPE = Recipe(batch_size=256, epochs=12)
SEARCH_RECIPE = replace(RECIPE, epochs=24)
WIDTH, LR, RETRAINED = 8, 2e-2, 6
EARNED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One draw of the generator: ``correlation`` is the cosine between the directions of two clusters."""

    seed: int
    correlation: float
    clusters: int

    def load(self, folder: Path) -> EncodedData:
        """Its rows, from the cache in this folder if they are there."""
        options = {
            "num_tasks": len(TASKS),
            "clusters": self.clusters,
            "correlation": self.correlation,
            "seed": self.seed,
        }
        source = CatalogueSource(name="planted", options=options)
        return load(DataSpec(source=source), TASKS, access=DataAccess(cache=folder))


def instances(seed: int) -> list[Instance]:
    """What every scheme is tried on: two and three clusters without correlation, and all tasks alike."""
    planted = ((0.0, 2), (0.0, 3), (1.0, 2))
    return [Instance(seed=seed, correlation=correlation, clusters=clusters) for correlation, clusters in planted]


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
    """Of a route's trainings: a training that ended in a poor local minimum says nothing of the route."""
    return sorted(errors)[: (len(errors) + 1) // 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Single-task networks of the same width: figures, parameters, and processor seconds of one training."""

    trained: Sequence[Trained]
    num_params: int
    seconds: float


@cache
def reference(instance: Instance, folder: Path) -> Reference:
    """What gains and costs are measured against, once per process and instance."""
    data = instance.load(folder)
    single = NAMED_ROUTES["single_task"](towers(TASKS), Size(layers=1, width=WIDTH))
    begun = time.process_time()
    trained = retrain(data, single.graph, [single.route])[single.route.text]
    seconds = (time.process_time() - begun) / RETRAINED
    return Reference(
        trained=trained, num_params=cost(single.graph, single.route, data.inputs).num_params, seconds=seconds
    )


def separation_earns(instance: Instance, folder: Path) -> float:
    """By how much the error of the planted clusters lies below that of full sharing, as a share of the latter.

    An instance where this is less than ``EARNED`` has nothing to find. The better halves on ``valid`` are compared.
    """
    data = instance.load(folder)
    space = replace(
        search_spaces.build("branching", TASKS, {"layers": 1, "subnets": instance.clusters, "width": WIDTH}),
        inputs=data.inputs,
    )
    assert data.truth is not None
    apart, together = (tasks_on(space, subnets) for subnets in (data.truth["clusters"], [0] * len(TASKS)))
    trained = retrain(data, space.graph, [apart, together])
    errors = {text: fmean(better_half([mean_error(one.valid) for one in found])) for text, found in trained.items()}
    return 1 - errors[apart.text] / errors[together.text]


def tasks_on(space: SearchSpace, subnets: Sequence[int]) -> Route:
    """The route of a branching space of one layer on which every task reads the sub-network of this number."""
    mixes = {}
    for junction in space.graph.junctions:
        source = junction.sources[0]
        if junction.name.startswith("to.task_"):
            source = f"l1.{subnets[int(junction.name.removeprefix('to.task_'))]}"
        states = {edge.source: edge.states[0] for edge in junction.edges if edge.source == source}
        mixes[junction.name] = Mix.of(junction, states)
    return canonical_route(space.graph, Route.of(mixes, {slot.name: slot.choices[0] for slot in space.graph.slots}))
