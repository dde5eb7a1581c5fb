"""Other spellings of a route: slots that swap places together with the junctions they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations, product

import numpy as np

from mtnas.routes import Mix, Route, RouteGraph


def renamed(graph: RouteGraph, route: Route, new: Mapping[str, str]) -> Route:
    """The route with slot ``s`` called ``new[s]``, and what it reads called like what ``new[s]`` reads."""
    slots = graph.slot_of()
    junction = {slots[old].reads: slots[name].reads for old, name in new.items()}
    mixes = {}
    for name, mix in route.mixes:
        inputs = tuple(new.get(source, source) for source in mix.inputs)
        stopped = tuple(new.get(source, source) for source in mix.forward_only)
        target = junction.get(name, name)
        mixes[target] = Mix(inputs=inputs, forward_only=stopped, gate=mix.gate, query=mix.query)
    return Route.of(mixes, {new[name]: block for name, block in route.blocks})


def layer_permutations(graph: RouteGraph) -> Iterator[dict[str, str]]:
    """Every way to permute the slots inside their layers."""
    layers: dict[int, list[str]] = {}
    for slot in graph.slots:
        layers.setdefault(slot.layer, []).append(slot.name)
    for shuffled in product(*(permutations(names) for names in layers.values())):
        yield {
            old: new
            for names, order in zip(layers.values(), shuffled, strict=True)
            for old, new in zip(names, order, strict=True)
        }


def random_permutation(rng: np.random.Generator, graph: RouteGraph) -> dict[str, str]:
    """One of them, without listing all."""
    layers: dict[int, list[str]] = {}
    for slot in graph.slots:
        layers.setdefault(slot.layer, []).append(slot.name)
    return {
        old: new for names in layers.values() for old, new in zip(names, rng.permutation(names).tolist(), strict=True)
    }


def without_order(route: Route) -> tuple[object, ...]:
    """A route's content with the inputs of every mix as sets: equal whatever order they were written in."""
    mixes = {(n, frozenset(m.inputs), frozenset(m.forward_only), m.gate, m.query) for n, m in route.mixes}
    return frozenset(mixes), route.blocks
