"""Aligned routes are the same architecture in a spelling nearer to the other's."""

from __future__ import annotations

import numpy as np
import pytest

from mtnas.routes import Route, canonical_route
from mtnas.search.spelling import aligned, cross_aligned
from mtnas.spaces import SearchSpace
from tests.search.planted import alike, different, forward_only, varied


def wires(route: Route) -> set[tuple[str, str]]:
    return {(name, source) for name, mix in route.mixes for source in mix.inputs}


def routes(space: SearchSpace, count: int) -> list[Route]:
    rng = np.random.default_rng(0)
    return [canonical_route(space.graph, space.sample(rng)) for _ in range(count)]


@pytest.mark.parametrize(
    "space", [alike(), alike(layers=3), different(), varied(), forward_only()], ids=lambda s: s.name
)
def test_an_aligned_route_is_the_same_architecture(space: SearchSpace) -> None:
    first, *others = routes(space, 40)
    for route in others:
        spelled = aligned(space.graph, route, first)
        assert space.check(spelled) is None
        assert canonical_route(space.graph, spelled) == route


def test_a_route_aligned_with_itself_stays() -> None:
    for space in (alike(), varied()):
        for route in routes(space, 20):
            assert aligned(space.graph, route, route) == route


def test_alignment_brings_routes_nearer_to_each_other() -> None:
    first, *others = routes(alike(), 60)
    before = [len(wires(route) ^ wires(first)) for route in others]
    after = [len(wires(aligned(alike().graph, route, first)) ^ wires(first)) for route in others]
    assert np.mean(after) < 0.85 * np.mean(before)


def test_slots_that_are_not_alike_keep_their_names() -> None:
    space = different()
    first, *others = routes(space, 20)
    assert all(aligned(space.graph, route, first) == route for route in others)


def test_crossing_a_route_with_itself_in_another_spelling_gives_the_route() -> None:
    space = alike(tasks=2)
    rng = np.random.default_rng(0)
    text = "in<-x:pass; to.l2.{a}<-l1.{a}:pass; to.l2.{b}<-l1.{a}+l1.{b}:softmax(mean)"
    blocks = "; to.t0<-l2.{a}:pass; to.t1<-l2.{b}:pass; l1.{a}=mlp(8); l1.{b}=mlp(8); l2.{a}=mlp(8); l2.{b}=mlp(8)"
    first, second = (Route.parse((text + blocks).format(a=a, b=b)) for a, b in ((0, 1), (1, 0)))
    for _ in range(20):
        child = cross_aligned(space, first, second, rng)
        assert canonical_route(space.graph, child) == canonical_route(space.graph, first)


def test_a_child_of_two_routes_has_each_choice_from_one_of_them() -> None:
    space = alike()
    rng = np.random.default_rng(1)
    first, *others = routes(space, 20)
    for second in others:
        child = cross_aligned(space, first, second, rng).mix_of()
        one, other = first.mix_of(), aligned(space.graph, second, first).mix_of()
        assert all(child[name] in (one[name], other[name]) for name in one.keys() & other.keys())
