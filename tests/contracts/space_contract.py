"""What every search space of the catalogue promises to searchers, to the store and to the trainer."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mtnas.errors import SpaceError
from mtnas.routes import (
    InputShape,
    Route,
    canonical_route,
    cost,
    narrow,
    reach,
    route_digest,
    shape_graph,
    to_svg,
)
from mtnas.spaces import Constraints, SearchSpace, cross, encode, fill, mutate
from mtnas.supernets import Selection, Supernet
from tests.supernets.batches import random_features

NUM_ROUTES = 6


def space_contract(space: SearchSpace, inputs: InputShape) -> None:
    """Check every promise of one space.

    Raises:
        AssertionError: the first promise that is broken.
    """
    rng = np.random.default_rng(0)
    space = replace(space, inputs=inputs)
    routes = [space.sample(rng) for _ in range(NUM_ROUTES)]
    _is_read_back(space)
    for route in routes:
        assert space.check(route) is None, f"a sample lies outside: {space.check(route)}"
        _has_one_spelling(space, route, rng)
        _shrinks(space, route)
    _moves_stay_inside(space, routes, rng)
    _keeps_to_limits(space, routes, rng)
    _counts(space, routes)
    _runs(space, routes[0])


def _is_read_back(space: SearchSpace) -> None:
    again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert again == replace(space, inputs=None)
    assert again.graph.digest == space.graph.digest


def _has_one_spelling(space: SearchSpace, route: Route, rng: np.random.Generator) -> None:
    graph = space.graph
    assert Route.parse(route.text) == route
    canonical = canonical_route(graph, route)
    assert space.check(canonical) is None, "the canonical spelling lies outside"
    assert canonical_route(graph, canonical) == canonical
    digest = route_digest(graph, route)
    assert route_digest(graph, canonical) == digest
    assert route_digest(graph, fill(space, canonical, rng)) == digest, "unreached choices change the digest"
    assert np.array_equal(encode(space, route), encode(space, canonical))
    assert space.cost(route) == space.cost(canonical)


def _shrinks(space: SearchSpace, route: Route) -> None:
    graph, reached = space.graph, reach(space.graph, route)
    bare = route.only(junctions=reached.junctions, slots=reached.slots)
    assert space.inputs is not None
    for smaller in (narrow(graph, route), shape_graph(graph, route)):
        assert SearchSpace(name="part", graph=smaller).check(bare) is None
        assert cost(smaller, bare, space.inputs) == space.cost(route)
    assert to_svg(graph, route).endswith("</svg>")


def _moves_stay_inside(space: SearchSpace, routes: list[Route], rng: np.random.Generator) -> None:
    digests = {route_digest(space.graph, route) for route in routes}
    assert len(digests) > 1, "samples are all one architecture"
    for first, second in pairwise(routes):
        child = mutate(space, first, rng)
        assert space.check(child) is None, f"a mutant lies outside: {space.check(child)}"
        child = cross(space, first, second, rng)
        assert space.check(child) is None, f"a child lies outside: {space.check(child)}"


def _keeps_to_limits(space: SearchSpace, routes: list[Route], rng: np.random.Generator) -> None:
    costs = [space.cost(route) for route in routes]
    limits = Constraints(
        max_params=sorted(c.num_params for c in costs)[NUM_ROUTES // 2],
        max_macs=sorted(c.macs for c in costs)[NUM_ROUTES // 2],
    )
    limited = replace(space, constraints=limits)
    for _ in range(NUM_ROUTES):
        found = space.cost(limited.sample(rng))
        assert found.num_params <= (limits.max_params or 0)
        assert found.macs <= (limits.max_macs or 0)
    assert space.contains(space.cheapest())
    impossible = replace(space, constraints=Constraints(max_params=1))
    with pytest.raises(SpaceError, match="constraints: expected constraints that some route keeps to"):
        impossible.sample(rng)


def _counts(space: SearchSpace, routes: list[Route]) -> None:
    assert space.size() >= len({route_digest(space.graph, route) for route in routes})
    if space.size() < 2000:
        listed = [route_digest(space.graph, route) for route in space.enumerate()]
        assert len(set(listed)) == len(listed) <= space.size()
        assert {route_digest(space.graph, route) for route in routes} <= set(listed)


def _runs(space: SearchSpace, route: Route) -> None:
    """The whole supernet, and the route's shape alone, give finite outputs of the towers' widths."""
    assert space.inputs is not None
    reached = reach(space.graph, route)
    bare = route.only(junctions=reached.junctions, slots=reached.slots)
    batch = random_features(space.inputs, rows=4, seed=0, dtype=torch.float32)
    for graph, chosen in ((space.graph, route), (shape_graph(space.graph, route), bare)):
        net = Supernet(graph, space.inputs, [0])
        outputs = net(batch, Selection.from_route(graph, chosen))
        assert [out.shape for out in outputs] == [(1, 4, tower.outputs) for tower in space.graph.towers]
        assert all(out.isfinite().all() for out in outputs)
