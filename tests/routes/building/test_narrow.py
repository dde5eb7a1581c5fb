"""Smaller graphs of a route: they hold it, cost the same, and hold nothing else or just its shape."""

from __future__ import annotations

import numpy as np
import pytest

from mtnas.routes import RouteGraph, canonical_route, cost, narrow, reach, shape_graph
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.nodes import Tower
from mtnas.spaces import SearchSpace
from tests.routes.random_graphs import BLOCKS, INPUTS, random_graph, random_route

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_narrowed_graph_holds_the_route_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    reached = reach(graph, route)
    bare = route.only(junctions=reached.junctions, slots=reached.slots)
    narrowed = narrow(graph, route)
    space = SearchSpace(name="narrow", graph=narrowed)
    assert space.size() == 1
    assert space.check(bare) is None
    assert [canonical_route(narrowed, bare)] == list(space.enumerate())
    assert {slot.name for slot in narrowed.slots} == reached.slots
    assert cost(narrowed, bare, INPUTS) == cost(graph, route, INPUTS)
    assert narrow(narrowed, bare) == narrowed
    assert RouteGraph.from_json(narrowed.to_json()) == narrowed


@pytest.mark.parametrize("seed", SEEDS)
def test_shape_graph_holds_the_route_at_the_same_cost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    reached = reach(graph, route)
    bare = route.only(junctions=reached.junctions, slots=reached.slots)
    shape = shape_graph(graph, route)
    assert SearchSpace(name="shape", graph=shape).check(bare) is None
    assert {slot.name for slot in shape.slots} == reached.slots
    assert all(slot.choices == (route.block_of()[slot.name],) for slot in shape.slots)
    assert cost(shape, bare, INPUTS) == cost(graph, route, INPUTS)
    assert narrow(shape, bare) == narrow(graph, route)


def test_routes_of_one_shape_differ_in_edges_only() -> None:
    """Canonical routes through as many slots per layer share a shape, whichever slots and edges they use."""
    towers = (Tower(task="a", reads=""), Tower(task="b", reads=""))
    space = SearchSpace(name="s", graph=layered_graph(towers, subnets=(3, 3), choices=BLOCKS[:1]))
    shapes: dict[tuple[int, ...], set[str]] = {}
    rng = np.random.default_rng(0)
    for _ in range(200):
        route = canonical_route(space.graph, space.sample(rng))
        reached = reach(space.graph, route).slots
        counts = tuple(sum(name.startswith(f"l{layer}.") for name in reached) for layer in (1, 2))
        shapes.setdefault(counts, set()).add(shape_graph(space.graph, route).digest)
    assert len(shapes) > 3
    assert all(len(digests) == 1 for digests in shapes.values())
