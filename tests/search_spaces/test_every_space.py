"""What every space of the catalogue promises: legal routes, honest costs, routes that freeze to themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.routes import RouteGraph, canonical_route, cost, narrow, reach
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout, Selection, Supernet, freeze
from search_spaces import CATALOGUE
from tests.search_spaces.every_space import SMALL, small_space
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise

ROWS = 8
EXACT = {"rtol": 1e-9, "atol": 1e-10}  # float64, sums of a few dozen terms in another order


def test_every_scheme_of_the_catalogue_is_tried() -> None:
    assert {scheme for scheme, _, _ in SMALL.values()} == set(CATALOGUE)


@pytest.mark.parametrize("name", SMALL)
def test_space_survives_json_and_holds_what_it_draws(name: str) -> None:
    space, _ = small_space(name)
    assert SearchSpace.from_json(space.to_json()) == space
    rng = np.random.default_rng(0)
    for _ in range(20):
        route = space.sample(rng)
        assert space.check(route) is None
        assert space.check(canonical_route(space.graph, route)) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SMALL)
def test_frozen_route_equals_the_supernet_and_costs_what_is_said(name: str, seed: int) -> None:
    space, inputs = small_space(name)
    route = space.sample(np.random.default_rng(seed))
    supernet = Supernet(space.graph, inputs, [0, 1], dtype=torch.float64)
    randomise(supernet, seed=seed)
    batch = random_features(inputs, rows=ROWS, seed=seed)
    expected = supernet(batch, Selection.from_routes(space.graph, [[route], [route]], dtype=torch.float64))
    frozen = freeze(supernet, route, candidate=1)
    found = frozen(batch, _whole(frozen.graph, space, route))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours[0], theirs[1], **EXACT)
    assert sum(p.numel() for p in frozen.parameters()) == cost(space.graph, route, inputs).num_params
    assert {slot.name for slot in frozen.graph.slots} == reach(space.graph, route).slots


@pytest.mark.parametrize("name", SMALL)
def test_route_groups_along_the_batch_follow_their_own_routes(name: str) -> None:
    space, inputs = small_space(name)
    rng = np.random.default_rng(1)
    routes = [space.sample(rng), space.sample(rng)]
    supernet = Supernet(space.graph, inputs, [0], dtype=torch.float64)
    randomise(supernet, seed=1, scale=0.5)
    batch = random_features(inputs, rows=ROWS, seed=1)
    both = supernet(batch, Selection.from_routes(space.graph, [routes], dtype=torch.float64))
    for half, route in enumerate(routes):
        rows = slice(half * ROWS // 2, (half + 1) * ROWS // 2)
        selection = Selection.from_routes(space.graph, [[route]], dtype=torch.float64)
        alone = supernet(batch.rows(rows.start, rows.stop), selection)
        for ours, theirs in zip(both, alone, strict=True):
            torch.testing.assert_close(ours[:, rows], theirs, **EXACT)


@pytest.mark.parametrize("name", SMALL)
def test_relaxed_selection_carries_gradients_to_every_choice(name: str) -> None:
    space, inputs = small_space(name)
    supernet = Supernet(space.graph, inputs, [0], dtype=torch.float64)
    randomise(supernet, seed=2, scale=0.5)
    batch = random_features(inputs, rows=ROWS, seed=2)
    relaxed = _relaxed(space.graph)
    outputs = supernet(batch, relaxed)
    sum((output.square().sum() for output in outputs), torch.zeros(())).backward()  # type: ignore[no-untyped-call]
    layout = Layout.of(space.graph)
    several = {junction.name for junction in space.graph.junctions if len(junction.edges) > 1}
    at = [index for (junction, _), index in layout.edges.items() if junction in several]
    if at:
        assert relaxed.edges.grad is not None
        # Some units are dead, and so are their edges.
        assert (relaxed.edges.grad[0, 0, at].abs() > 0).double().mean() > 0.5
    choosing = {slot.name for slot in space.graph.slots if len(slot.choices) > 1}
    places = [index for (slot, _), index in layout.blocks.items() if slot in choosing]
    if places:
        assert relaxed.blocks.grad is not None
        assert (relaxed.blocks.grad[0, 0, places].abs() > 0).double().mean() > 0.5
    assert all(p.grad is None or p.grad.isfinite().all() for p in supernet.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_pack_of_two_equals_each_alone(name: str) -> None:
    space, inputs = small_space(name)
    rng = np.random.default_rng(3)
    routes = [space.sample(rng), space.sample(rng)]
    batch = random_features(inputs, rows=ROWS, seed=3)
    pack = Supernet(space.graph, inputs, [5, 6], dtype=torch.float64)
    together = pack(batch, Selection.from_routes(space.graph, [[r] for r in routes], dtype=torch.float64))
    for k, route in enumerate(routes):
        alone = Supernet(space.graph, inputs, [5 + k], dtype=torch.float64)
        found = alone(batch, Selection.from_routes(space.graph, [[route]], dtype=torch.float64))
        for ours, theirs in zip(together, found, strict=True):
            torch.testing.assert_close(ours[k], theirs[0], **EXACT)


def _relaxed(graph: RouteGraph) -> Selection:
    """Every edge and block between 0 and 1, every gate and query that a junction has in equal parts."""
    layout = Layout.of(graph)
    generator = torch.Generator().manual_seed(0)

    def between(size: int) -> Tensor:
        return (torch.rand(1, 1, size, generator=generator, dtype=torch.float64) * 0.5 + 0.25).requires_grad_()

    return Selection(
        edges=between(len(layout.edges)),
        gates=torch.ones(1, 1, len(layout.gates), dtype=torch.float64),
        queries=between(len(layout.queries)),
        blocks=between(len(layout.blocks)),
    )


def _whole(graph: RouteGraph, space: SearchSpace, route) -> Selection:  # type: ignore[no-untyped-def]
    kept = route.only(junctions=graph.junction_of(), slots=graph.slot_of())
    assert narrow(space.graph, route) == graph
    return replace(Selection.from_routes(graph, [[kept]], dtype=torch.float64))
