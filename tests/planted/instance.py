"""Tasks in known clusters, searches over them, and which tasks a route keeps together (PROTOCOL.md point 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import search_spaces
from mtnas.data import CATALOGUE, DataAccess
from mtnas.routes import InputShape, Route, Tower, canonical_route, task_path
from mtnas.routes.schemes.by_name import NAMED_ROUTES, NamedRoute, Size
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.searches.make_search import make_search
from mtnas.training.searches.shared_supernet import Ground
from mtnas.training.searches.supernet_search import SupernetSearch
from mtnas.trials import Settings
from tests.training.problem import Arrays

ROWS, DIMS, WIDTH, LR = 3000, 8, 4, 0.03
INPUTS = InputShape(vocabularies=(), embedding_widths=(), num_numeric=DIMS)
RECIPE = Recipe(batch_size=128, epochs=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Tasks, and rows with their labels.

    Attributes:
        tasks: in the order of the labels' columns.
        found: labels of mean 0 and deviation 1; parts ``train``, ``search``, ``valid`` and ``test``.
    """

    tasks: tuple[Task, ...]
    found: Arrays

    def taking(self, order: Sequence[int]) -> Instance:
        """Some of the tasks, in another order; one that comes up twice is a duplicate under a name of its own."""
        tasks = [
            replace(self.tasks[i], name=self.tasks[i].name + "_again" * list(order[:at]).count(i))
            for at, i in enumerate(order)
        ]
        return Instance(tasks=tuple(tasks), found=replace(self.found, labels=self.found.labels[:, list(order)]))


def instance(assignment: Sequence[int], *, seed: int = 0, waves: int = 10) -> Instance:
    """One regression task per number, which names its cluster; clusters have orthogonal directions."""
    planted = CATALOGUE["planted"]
    options = planted.check_options(
        {
            "rows": ROWS,
            "dims": DIMS,
            "num_tasks": len(assignment),
            "clusters": len(set(assignment)),
            "assignment": tuple(assignment),
            "seed": seed,
            "waves": waves,
        }
    )
    table = planted.read(options, DataAccess(cache=Path("unused"), data_dir=None)).table
    numeric = np.stack(table.column("x").to_pylist()).astype(np.float32)
    labels = np.stack([table.column(f"task_{t}").to_numpy() for t in range(len(assignment))], 1)
    labels = ((labels - labels.mean(0)) / labels.std(0)).astype(np.float32)
    ends = np.cumsum([ROWS * share // 10 for share in (6, 2, 1)])
    rows = np.split(np.arange(ROWS), ends)
    return Instance(
        tasks=tuple(
            Task(name=f"t{t}", kind=TaskKind.REGRESSION, label=f"t{t}", tower=()) for t in range(len(assignment))
        ),
        found=Arrays(
            categorical=np.zeros((ROWS, 0), np.int32),
            numeric=numeric,
            bags=(),
            labels=labels,
            parts=dict(zip(("train", "search", "valid", "test"), rows, strict=True)),
        ),
    )


def resident(of: Instance) -> ResidentData:
    """The rows on the CPU."""
    return ResidentData.of(of.found, torch.device("cpu"))


def space_for(of: Instance, name: str, options: dict[str, object]) -> SearchSpace:
    """A space of the catalogue for these tasks."""
    return replace(search_spaces.build(name, of.tasks, options), inputs=INPUTS)


def searched(
    of: Instance,
    space: SearchSpace,
    search: SharedWeightsSearch,
    *,
    seeds: Sequence[int] = (0,),
    recipe: Recipe = RECIPE,
) -> SupernetSearch:
    """One search per seed, side by side, run to the end."""
    made = make_search(
        Ground(
            space=space,
            inputs=INPUTS,
            settings=[Settings(lr=LR, seed=seed, data_seed=seed) for seed in seeds],
            tasks=of.tasks,
            data=resident(of),
            recipe=recipe,
        ),
        [search] * len(seeds),
    )
    for _ in made.run():
        pass
    return made


def derived(made: SupernetSearch) -> list[Route]:
    """The route that every search stands for."""
    return [canonical_route(made.space.graph, routes[0]) for routes in made.candidates(1)]


def together(space: SearchSpace, route: Route) -> frozenset[frozenset[str]]:
    """The clusters of a route: tasks that reach the same slots are one."""
    groups: dict[frozenset[str], set[str]] = {}
    for task in space.graph.tasks:
        groups.setdefault(frozenset(task_path(space.graph, route, task).slots), set()).add(task)
    return frozenset(frozenset(group) for group in groups.values())


def named(of: Instance, scheme: str, *, width: int = WIDTH) -> NamedRoute:
    """A hand-made route for these tasks."""
    towers = [Tower(task=t.name, reads="", hidden=t.tower) for t in of.tasks]
    return NAMED_ROUTES[scheme](towers, Size(layers=2, experts=2, width=width))
