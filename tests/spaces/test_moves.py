"""Mutation and crossing stay inside a space, and change or mix what they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtnas.errors import SpaceError
from mtnas.routes import Tower, canonical_route, narrow, reach, route_digest
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import full_route
from mtnas.spaces import Constraints, SearchSpace, cross, fill, mutate
from tests.routes.random_graphs import BLOCKS, INPUTS, random_graph

TOWERS = (Tower(task="a", reads=""), Tower(task="b", reads="", hidden=()))


def random_space(seed: int) -> SearchSpace:
    space = SearchSpace(name="random", graph=random_graph(np.random.default_rng(seed)), inputs=INPUTS)
    return space if space.size() > 50 else random_space(seed + 1000)


def limited(space: SearchSpace, rng: np.random.Generator) -> SearchSpace:
    """The space under a limit that half of its routes break."""
    params = sorted(space.cost(space.sample(rng)).num_params for _ in range(30))
    return replace(space, constraints=Constraints(max_params=params[15]))


@pytest.mark.parametrize("seed", range(40))
def test_mutants_are_inside_and_differ_in_one_reached_choice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = limited(random_space(seed), rng)
    route = space.sample(rng)
    reached = reach(space.graph, route)
    for _ in range(5):
        try:
            child = mutate(space, route, rng)
        except SpaceError:
            continue  # under the limit nothing may be one change away
        assert space.contains(child)
        changed = set(child.mixes) - set(route.mixes) | set(child.blocks) - set(route.blocks)
        assert len(changed) == 1
        assert next(iter(changed))[0] in reached.junctions | reached.slots


@pytest.mark.parametrize("seed", range(20))
def test_mutation_of_a_bare_canonical_route_fills_what_it_newly_reaches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = random_space(seed)
    route = canonical_route(space.graph, space.sample(rng))
    for _ in range(5):
        child = mutate(space, route, rng)
        assert space.contains(child)
        route = canonical_route(space.graph, child)


def test_mutation_reaches_the_whole_space() -> None:
    graph = layered_graph(TOWERS[:1], subnets=(2, 2), choices=BLOCKS[:1])
    space = SearchSpace(name="s", graph=graph)
    everything = {route_digest(graph, route) for route in space.enumerate()}
    rng = np.random.default_rng(0)
    route, found = space.sample(rng), set[str]()
    for _ in range(500):
        route = mutate(space, route, rng)
        found.add(route_digest(graph, route))
    assert found == everything


def test_only_route_of_a_space_cannot_mutate() -> None:
    graph = layered_graph(TOWERS, subnets=(2, 2), choices=BLOCKS[:1])
    route = full_route(graph)
    with pytest.raises(SpaceError, match="expected a second route to move to"):
        mutate(SearchSpace(name="one", graph=narrow(graph, route)), route, np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(40))
def test_children_are_inside_and_take_every_choice_from_a_parent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = limited(random_space(seed), rng)
    first, second = space.sample(rng), space.sample(rng)
    for _ in range(5):
        child = cross(space, first, second, rng)
        assert space.contains(child)
        assert set(child.mixes) <= set(first.mixes) | set(second.mixes)
        assert set(child.blocks) <= set(first.blocks) | set(second.blocks)


def test_children_mix_both_parents() -> None:
    graph = layered_graph(TOWERS, subnets=(4, 4), choices=BLOCKS[:1])
    space = SearchSpace(name="s", graph=graph)
    rng = np.random.default_rng(0)
    first, second = space.sample(rng), space.sample(rng)
    children = {cross(space, first, second, rng) for _ in range(50)}
    differing = sum(a != b for a, b in zip(first.mixes, second.mixes, strict=True))
    assert differing > 3
    assert len(children - {first, second}) > 20


def test_parents_that_cannot_mix_give_the_first() -> None:
    """Both parents just fit the limit; where any mixture reaches more slots than that, the first parent returns."""
    graph = layered_graph(TOWERS[:1], subnets=(2, 2), choices=BLOCKS[:1])
    space = SearchSpace(name="s", graph=graph, inputs=INPUTS)
    rng = np.random.default_rng(0)
    first = space.cheapest()
    tight = replace(space, constraints=Constraints(max_params=space.cost(first).num_params))
    dear = full_route(graph)
    assert not tight.contains(dear)
    child = cross(tight, first, first, rng)
    assert route_digest(graph, child) == route_digest(graph, first)


def test_filling_keeps_what_is_there() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        space = random_space(seed)
        bare = canonical_route(space.graph, space.sample(rng))
        filled = fill(space, bare, rng)
        assert set(bare.mixes) <= set(filled.mixes)
        assert set(bare.blocks) <= set(filled.blocks)
        assert {name for name, _ in filled.mixes} == {junction.name for junction in space.graph.junctions}
        assert space.contains(filled)
        assert route_digest(space.graph, filled) == route_digest(space.graph, bare)
