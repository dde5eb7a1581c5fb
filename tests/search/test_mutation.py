"""Every mutation makes another legal route where it applies, and does what its name says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtnas.routes import Route, canonical_route, reach
from mtnas.search.mutation import (
    MOVES,
    Move,
    change_gate,
    clone_slot,
    flip_edge,
    insert_slot,
    mutated,
    redraw,
    remove_slot,
)
from mtnas.spaces import Constraints, SearchSpace
from mtnas.trials import Settings
from tests.search.planted import GRID, alike, different, forward_only, varied

SPACES = [alike(), different(), varied(), forward_only()]


def children(space: SearchSpace, move: Move, *, count: int = 200) -> list[tuple[Route, Route]]:
    """Pairs of a random canonical route and what the move made of it, where it applied and is in the space."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        parent = canonical_route(space.graph, space.sample(rng))
        child = move(space, parent, rng)
        if child is not None and space.contains(child):
            pairs.append((parent, canonical_route(space.graph, child)))
    return pairs


def edges(route: Route) -> set[tuple[str, str, bool]]:
    return {(name, source, source in mix.forward_only) for name, mix in route.mixes for source in mix.inputs}


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.__name__)
def test_what_a_move_makes_breaks_nothing_but_costs(space: SearchSpace, move: Move) -> None:
    rng = np.random.default_rng(1)
    free = replace(space, constraints=replace(space.constraints, max_params=None))
    for _ in range(50):
        child = move(free, canonical_route(space.graph, free.sample(rng)), rng)
        assert child is None or free.check(child) is None


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.__name__)
def test_most_children_are_new_architectures(move: Move) -> None:
    pairs = children(varied(), move)
    assert len(pairs) > 20
    assert np.mean([parent != child for parent, child in pairs]) > 0.9


def test_a_flipped_edge_is_the_only_difference_in_wiring() -> None:
    space = different()
    rng = np.random.default_rng(2)
    for _ in range(50):
        parent = canonical_route(space.graph, space.sample(rng))
        child = flip_edge(space, parent, rng)
        if child is not None:
            reached = reach(space.graph, parent).junctions
            own = {edge for edge in edges(child) if edge[0] in reached}
            assert len({edge[:2] for edge in own} ^ {edge[:2] for edge in edges(parent)}) == 1


def test_a_flipped_edge_may_change_what_it_carries() -> None:
    pairs = children(forward_only(), flip_edge)
    carried = [({e[:2] for e in edges(p)} == {e[:2] for e in edges(c)}) for p, c in pairs if p != c]
    assert any(carried)
    assert not all(carried)
    assert all(any(edge[:2] == ("to.t0", "l1.0") for edge in edges(child)) for _, child in pairs)  # it is required


def test_a_changed_gate_leaves_the_wiring_alone() -> None:
    for parent, child in children(varied(), change_gate):
        before = [(len(mix.inputs)) for _, mix in parent.mixes]
        assert sorted(before) == sorted(len(mix.inputs) for _, mix in child.mixes)
        assert parent != child


@pytest.mark.parametrize(("move", "sign"), [(insert_slot, 1), (remove_slot, -1), (clone_slot, 1)])
def test_slots_come_and_go(move: Move, sign: int) -> None:
    pairs = children(different(), move) if move is not clone_slot else children(alike(), move)
    changes = [len(child.blocks) - len(parent.blocks) for parent, child in pairs]
    assert changes
    assert all(change * sign > 0 for change in changes) or move is clone_slot
    assert sum(changes) * sign > 0


def test_a_clone_reads_what_its_original_reads() -> None:
    space = alike(tasks=2)
    text = "in<-x:pass; to.l2.0<-l1.0+l1.1:softmax(mean); to.t0<-l2.0:pass; to.t1<-l2.0:pass"
    blocks = "; l1.0=mlp(8); l1.1=mlp(8); l2.0=mlp(8)"
    parent = Route.parse(text + blocks)
    rng = np.random.default_rng(0)
    found = {clone_slot(space, parent, rng) for _ in range(40)}
    clones = [canonical_route(space.graph, child) for child in found if child is not None]
    split = [child for child in clones if child.mix_of()["to.t0"] != child.mix_of()["to.t1"]]
    assert split
    assert all(child.mix_of()["to.l2.0"] == child.mix_of()["to.l2.1"] for child in split)


def test_the_only_route_of_a_space_comes_back() -> None:
    space = alike(tasks=1, subnets=1, layers=1)
    rng = np.random.default_rng(0)
    route = canonical_route(space.graph, space.sample(rng))
    for _ in range(20):
        child, _ = mutated(space, GRID, route, Settings(), settings_chance=0.0, rng=rng)
        assert canonical_route(space.graph, child) == route


def test_settings_change_with_the_chance_given() -> None:
    space = alike()
    rng = np.random.default_rng(0)
    route, settings = canonical_route(space.graph, space.sample(rng)), GRID.sample(rng)
    for chance, expected in ((0.0, False), (1.0, True)):
        child, changed = mutated(space, GRID, route, settings, settings_chance=chance, rng=rng)
        assert (changed != settings) is expected
        assert not expected or child == route


def test_redrawing_keeps_to_the_in_degree() -> None:
    space = replace(alike(), constraints=Constraints(max_in_degree=1))
    assert all(len(mix.inputs) == 1 for _, child in children(space, redraw, count=30) for _, mix in child.mixes)
