"""Bringing a route within the limits on cost, with as few changes as it takes: for searches that ended outside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtnas.routes import EdgeState, GateKind, Mix, Route, reach
from mtnas.spaces.space import SearchSpace


def within(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route:
    """The route itself where it is in the space; else with connections dropped and blocks made smaller until it is.

    Greedy: each change is the one after which least is left above the limits, the first of equals. Where no such change
    leads into the space, or the route breaks it otherwise, a random route of the space.

    Args:
        space: with limits on cost.
        route: legal but for them.
        rng: for the random route.

    Raises:
        SpaceError: the constraints leave (almost) nothing.
    """
    best = route  # in its own spelling: shared weights belong to that
    if space.contains(best):
        return route
    if space.inputs is None or not space.keeps_wiring(best):
        return space.sample(rng)
    left = space.excess(best)
    while left > 0:
        smaller = min(((space.excess(other), n, other) for n, other in enumerate(_smaller(space, best))), default=None)
        if smaller is None or smaller[0] >= left:
            return space.sample(rng)
        left, _, best = smaller
    return best


def _smaller(space: SearchSpace, route: Route) -> Iterator[Route]:
    """Routes with one connection less, or with a smaller block in one slot."""
    reached, mixes, blocks = reach(space.graph, route), route.mix_of(), route.block_of()
    for junction in space.graph.junctions:
        if junction.name not in reached.junctions:
            continue
        mix = mixes[junction.name]
        required = {edge.source for edge in junction.edges if edge.required}
        for out in mix.inputs if len(mix.inputs) > junction.min_inputs else ():
            if out in required:
                continue
            states = {
                source: EdgeState.FORWARD_ONLY if source in mix.forward_only else EdgeState.ON
                for source in mix.inputs
                if source != out
            }
            query = mix.query if mix.gate.takes_query else None
            fewer = Mix.of(junction, states, gate=None if mix.gate is GateKind.PASS else mix.gate, query=query)
            yield route.replace(mixes={junction.name: fewer})
    for slot in space.graph.slots:
        if slot.name in reached.slots:
            for block in slot.choices:
                if block != blocks[slot.name]:
                    yield route.replace(blocks={slot.name: block})
