"""Spelling one route like another: interchangeable slots get the names that make the two agree the most.

Slots of one kind can swap names without a change of architecture, so two good routes may say the same thing with
different names; crossing them, or counting how often an edge occurs among good routes, would then mix unrelated parts
(the competing conventions of neuroevolution; Stanley and Miikkulainen, 2002, https://doi.org/10.1162/106365602320169811).
"""

from __future__ import annotations

import numpy as np

from mtnas.routes import Route, RouteGraph
from mtnas.routes.canonical import interchangeable_slots, rename_slots
from mtnas.spaces import SearchSpace, cross


def aligned(graph: RouteGraph, route: Route, like: Route) -> Route:
    """The same architecture as ``route``, spelled as much like ``like`` as a greedy matching finds.

    Slots are matched from the top layer down: towers never change their names, so what they read is compared first;
    then the readers of every lower layer have their names already. Both routes hold only what they reach.
    """
    classes, slots = interchangeable_slots(graph), graph.slot_of()
    blocks, like_blocks = route.block_of(), like.block_of()
    readers, like_readers = _readers(route), _readers(like)
    renamed: dict[str, str] = {}
    junction_name: dict[str, str] = {}
    for layer in range(graph.num_layers, 0, -1):
        own = sorted(name for name in blocks if slots[name].layer == layer)
        seen_by = {name: {junction_name.get(j, j) for j in readers.get(name, ())} for name in own}
        free = [slot.name for slot in graph.slots if slot.layer == layer]
        pairs = sorted(
            (
                len(seen_by[name] ^ like_readers.get(target, set())) - (like_blocks.get(target) == blocks[name]),
                name != target,
                name,
                target,
            )
            for name in own
            for target in free
            if classes[name] == classes[target]
        )
        taken: set[str] = set()
        for _, _, name, target in pairs:
            if name not in renamed and target not in taken:
                renamed[name] = target
                taken.add(target)
                junction_name[slots[name].reads] = slots[target].reads
    return rename_slots(graph, route, renamed)


def cross_aligned(space: SearchSpace, first: Route, second: Route, rng: np.random.Generator) -> Route:
    """Every choice from one of two parents at random, once the second is spelled like the first."""
    return cross(space, first, aligned(space.graph, second, first), rng)


def _readers(route: Route) -> dict[str, set[str]]:
    """The junctions that read each source."""
    found: dict[str, set[str]] = {}
    for junction, mix in route.mixes:
        for source in mix.inputs:
            found.setdefault(source, set()).add(junction)
    return found
