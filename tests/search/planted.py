"""Small spaces, scores planted in them, and trials made of the scores: what searchers are tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from mtnas.routes import Block, BlockKind, EdgeState, GateKind, InputShape, Route, Tower, reach
from mtnas.routes.building.layered import layered_graph
from mtnas.search import Choice, Searcher, SettingsSpace
from mtnas.spaces import Constraints, SearchSpace
from mtnas.tasks import Direction, Objective
from mtnas.trials import Candidate, Settings, Trial, TrialState

GAIN = Objective(metric="mean_gain", direction=Direction.MAX)
SIZE = Objective(metric="num_params", direction=Direction.MIN)
GRID = SettingsSpace(
    fixed=Settings(weight_decay=1e-4, seed=3),
    parts=(Choice(name="lr", values=(1e-3, 2e-3, 4e-3)), Choice(name="dropout", values=(0.0, 0.2))),
)

Score = Callable[[Route], float]


def alike(*, tasks: int = 4, subnets: int = 4, layers: int = 2) -> SearchSpace:
    """The layered space of MTNAS: sub-networks of a layer are interchangeable."""
    graph = layered_graph(
        [Tower(task=f"t{index}", reads="", hidden=()) for index in range(tasks)],
        subnets=(subnets,) * layers,
        choices=(Block(kind=BlockKind.MLP, widths=(8,)),),
        queries=("input", "mean", "static"),
    )
    return SearchSpace(name="alike", graph=graph)


def different(*, tasks: int = 3, subnets: int = 5, layers: int = 2) -> SearchSpace:
    """As ``alike``, but every sub-network of a layer has a block of its own, so that none can stand for another."""
    space = alike(tasks=tasks, subnets=subnets, layers=layers)
    widths = {slot.name: 8 + int(slot.name.split(".")[1]) for slot in space.graph.slots}
    slots = tuple(
        replace(slot, choices=(Block(kind=BlockKind.MLP, widths=(widths[slot.name], 8)),)) for slot in space.graph.slots
    )
    return replace(space, graph=replace(space.graph, slots=slots))


def tiny() -> SearchSpace:
    """A space of a handful of architectures."""
    return alike(tasks=2, subnets=2, layers=1)


def varied() -> SearchSpace:
    """A space with everything to choose: gates, blocks, and a limit on parameters that about half of it breaks."""
    blocks = tuple(Block(kind=BlockKind.MLP, widths=widths) for widths in ((8,), (32, 8)))
    graph = layered_graph(
        [Tower(task=name, reads="", hidden=()) for name in ("a", "b")],
        subnets=(3, 3),
        choices=blocks,
        gates=(GateKind.AVERAGE, GateKind.SOFTMAX),
        queries=("input", "mean"),
    )
    inputs = InputShape(vocabularies=(5,), embedding_widths=(4,), num_numeric=2)
    limits = Constraints(max_params=1200, max_in_degree=2)
    return SearchSpace(name="varied", graph=graph, constraints=limits, inputs=inputs)


def forward_only() -> SearchSpace:
    """A space whose edges into the towers may carry values without gradients; one of them is part of every route."""
    space = alike(tasks=2, subnets=3, layers=1)
    states = (EdgeState.ON, EdgeState.FORWARD_ONLY)
    junctions = tuple(
        replace(
            junction,
            edges=tuple(
                replace(edge, states=states, required=edge.source == "l1.0" and junction.name == "to.t0")
                for edge in junction.edges
            ),
        )
        if junction.name.startswith("to.")
        else junction
        for junction in space.graph.junctions
    )
    return replace(space, name="forward_only", graph=replace(space.graph, junctions=junctions))


def edges_score(space: SearchSpace, seed: int) -> Score:
    """Every edge is worth a normal number; a route scores the sum of its edges."""
    rng = np.random.default_rng(seed)
    worth = {(junction.name, source): rng.normal() for junction in space.graph.junctions for source in junction.sources}
    return lambda route: float(sum(worth[name, source] for name, mix in route.mixes for source in mix.inputs))


def clusters_score(space: SearchSpace) -> Score:
    """The first half of the tasks belong together: sharing inside a half counts for a route, across against it."""
    tasks = space.graph.tasks

    def score(route: Route) -> float:
        paths = [reach(space.graph, route, [task]).slots for task in tasks]
        total = 0.0
        for first, second in combinations(range(len(tasks)), 2):
            overlap = len(paths[first] & paths[second]) / len(paths[first] | paths[second])
            total += overlap if (first < len(tasks) // 2) == (second < len(tasks) // 2) else -overlap
        return total

    return score


def finished(candidates: Sequence[Candidate], values: Sequence[Mapping[str, float]], *, first: int = 0) -> list[Trial]:
    """Complete trials of these candidates, numbered from ``first``."""
    return [
        Trial(
            number=first + index,
            phase="search",
            label="search",
            candidate=candidate,
            state=TrialState.COMPLETE,
            values=value,
        )
        for index, (candidate, value) in enumerate(zip(candidates, values, strict=True))
    ]


def values_of(candidate: Candidate, score: Score) -> dict[str, float]:
    """Values for both objectives; the learning rate matters a little, so that settings can be searched."""
    gain = score(candidate.route) + 100.0 * candidate.settings.lr
    return {"mean_gain": gain, "num_params": float(len(candidate.route.blocks) + len(candidate.route.mixes))}


def searched(searcher: Searcher, score: Score, *, trials: int, generation: int) -> list[Trial]:
    """Run a whole search on a planted score."""
    done: list[Trial] = []
    while len(done) < trials:
        candidates = searcher.ask(done, generation)
        done += finished(candidates, [values_of(candidate, score) for candidate in candidates], first=len(done))
        if len(candidates) < generation:
            break
    return done
