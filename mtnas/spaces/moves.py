"""The moves of evolution: change one choice of a route, or cross two routes."""

from __future__ import annotations

import numpy as np

from mtnas.errors import SpaceError
from mtnas.routes import Route, reach
from mtnas.spaces.space import SAMPLE_ATTEMPTS, SearchSpace


def mutate(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route:
    """Draw one reachable junction's mix, or one reachable slot's block, anew until the route differs.

    Raises:
        SpaceError: the space holds nothing but this route.
    """
    reached = reach(space.graph, route)
    junctions = [j for j in space.graph.junctions if j.name in reached.junctions and _has_choice(space, j.name)]
    slots = [slot for slot in space.graph.slots if slot.name in reached.slots and len(slot.choices) > 1]
    filled = fill(space, route, rng)
    for _ in range(SAMPLE_ATTEMPTS if junctions or slots else 0):
        index = int(rng.integers(len(junctions) + len(slots)))
        if index < len(junctions):
            junction = junctions[index]
            child = filled.replace(mixes={junction.name: space.sample_mix(junction, rng)})
        else:
            slot = slots[index - len(junctions)]
            child = filled.replace(blocks={slot.name: slot.choices[int(rng.integers(len(slot.choices)))]})
        if child != filled and space.contains(child):
            return child
    raise SpaceError(expected="a second route to move to", found=route.text, where=f"space {space.name!r}")


def cross(space: SearchSpace, first: Route, second: Route, rng: np.random.Generator) -> Route:
    """Every choice from one of two parents at random; the first parent when no mixture keeps to the constraints."""
    parents = [fill(space, first, rng), fill(space, second, rng)]
    mixes = [parent.mix_of() for parent in parents]
    blocks = [parent.block_of() for parent in parents]
    for _ in range(SAMPLE_ATTEMPTS // 100):
        child = Route.of(
            {name: mixes[int(rng.integers(2))][name] for name in mixes[0]},
            {name: blocks[int(rng.integers(2))][name] for name in blocks[0]},
        )
        if space.contains(child):
            return child
    return parents[0]


def fill(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route:
    """The route with choices for the nodes it leaves out, so that newly reached ones have some."""
    mixes = {j.name: space.sample_mix(j, rng) for j in space.graph.junctions} | route.mix_of()
    blocks = {s.name: s.choices[int(rng.integers(len(s.choices)))] for s in space.graph.slots} | route.block_of()
    return Route.of(mixes, blocks)


def _has_choice(space: SearchSpace, name: str) -> bool:
    mixes = space.mixes(space.graph.junction_of()[name])
    next(mixes)
    return next(mixes, None) is not None
