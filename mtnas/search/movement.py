"""How far a search has moved: whether its answer can be told apart from a route drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtnas.routes import Route, RouteGraph, canonical_route, task_path
from mtnas.spaces import SearchSpace

_DRAWN = 16
_UNDECIDED = 0.9  # of the entropy that it began with


def connections(route: Route) -> frozenset[tuple[str, str]]:
    """Every connection and block of the route's reachable part."""
    of_mixes = {(name, source) for name, mix in route.mixes for source in mix.inputs}
    return frozenset(of_mixes | {(name, block.text) for name, block in route.blocks})


def distance(first: Route, second: Route) -> float:
    """Share of the connections and blocks of two canonical routes that only one of them has, 0 to 1."""
    one, two = connections(first), connections(second)
    return len(one ^ two) / max(len(one | two), 1)


def distances(space: SearchSpace, route: Route, *, seed: int) -> dict[str, float]:
    """Mean distance of a canonical route from random ones, and of random ones from each other."""
    rng = np.random.default_rng(seed)
    drawn = [canonical_route(space.graph, space.sample(rng)) for _ in range(_DRAWN)]
    pairs = [distance(one, two) for n, one in enumerate(drawn) for two in drawn[:n]]
    own = [distance(route, other) for other in drawn]
    return {"distance_from_random": float(np.mean(own)), "distance_between_random": float(np.mean(pairs))}


def is_whole(graph: RouteGraph, route: Route) -> bool:
    """Whether a canonical route uses every connection that there is, from its towers down."""
    junctions = graph.junction_of()
    return all(set(mix.inputs) == set(junctions[name].sources) for name, mix in route.mixes)


def shares_all(graph: RouteGraph, route: Route) -> bool:
    """Whether all tasks, of which there are several, reach the same sub-networks."""
    slots = graph.slot_of()
    reached = {frozenset(slots[n].weights_of for n in task_path(graph, route, task).slots) for task in graph.tasks}
    return len(graph.tasks) > 1 and len(reached) == 1


def warnings(
    graph: RouteGraph,
    route: Route,
    *,
    entropy: Sequence[float] | None,
    better_than_random: float | None,
) -> list[str]:
    """What a reader must know of the answer of a search.

    Args:
        graph: of the space.
        route: the answer, canonical.
        entropy: at the start and at the end, in nats; None for searches that have none.
        better_than_random: share of random routes that the derived route beats under the same weights; None where
            nobody looked.
    """
    found: list[str] = []
    if is_whole(graph, route):
        found.append("the answer is the whole supernet: the search has left nothing out")
    elif shares_all(graph, route):
        found.append("the answer shares everything: all tasks reach the same sub-networks")
    if entropy is not None and entropy[0] > 0 and entropy[-1] > _UNDECIDED * entropy[0]:
        found.append(
            f"the search has hardly moved: its entropy went from {entropy[0]:.3g} to {entropy[-1]:.3g} nats; "
            "give it more steps (search.least_steps) or a larger search.lr"
        )
    if better_than_random is not None and better_than_random < 0.75:
        found.append(
            f"the derived route is not told apart from random ones: it beats {better_than_random:.0%} of them "
            "under the shared weights"
        )
    return found


def movement(
    space: SearchSpace,
    route: Route,
    *,
    seed: int,
    entropies: Sequence[Sequence[float]] = (),
    better_than_random: float | None = None,
) -> dict[str, Any]:
    """What the report says of how far a search moved.

    Args:
        space: where it searched.
        route: its answer, canonical.
        seed: of the random routes.
        entropies: per search, from its start to its end, in nats.
        better_than_random: as for :func:`warnings`.
    """
    ends = [float(np.mean([of_search[at] for of_search in entropies])) for at in (0, -1)] if entropies else None
    return {
        "entropy_start": None if ends is None else ends[0],
        "entropy_end": None if ends is None else ends[1],
        **distances(space, route, seed=seed),
        "better_than_random": better_than_random,
        "whole_supernet": is_whole(space.graph, route),
        "shares_all": shares_all(space.graph, route),
        "warnings": warnings(space.graph, route, entropy=ends, better_than_random=better_than_random),
    }
