"""Freezing: the same function, exactly the parameters that the cost predicts, nothing that no tower reaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtnas.routes import Mix, Route, RouteGraph, aligned_cost, cost, narrow, reach
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet, freeze
from tests.routes.random_graphs import INPUTS, random_graph, random_route
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise

EXACT = {"rtol": 1e-10, "atol": 1e-10}  # float64, sums in another order


def frozen_pair(seed: int, candidate: int) -> tuple[RouteGraph, Route, Supernet, Supernet]:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    net = Supernet(graph, INPUTS, [0, 1, 2], dtype=torch.float64)
    randomise(net, seed=seed, scale=0.4)
    return graph, route, net, freeze(net, route, candidate=candidate)


def whole(graph: RouteGraph) -> Selection:
    """The one route of a narrowed graph."""
    return Selection.from_routes(graph, [[full_route(graph)]], dtype=torch.float64)


@pytest.mark.parametrize("seed", range(60))
def test_frozen_route_computes_what_the_supernet_does(seed: int) -> None:
    candidate = seed % 3
    graph, route, net, frozen = frozen_pair(seed, candidate)
    batch = random_features(INPUTS, rows=6, seed=seed, seed_of=(0, 1, 0))
    expected = net(batch, Selection.from_routes(graph, [[route]] * 3, dtype=torch.float64))
    found = frozen(batch.of_candidate(candidate), whole(frozen.graph))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours[0], theirs[candidate], **EXACT)


@pytest.mark.parametrize("seed", range(60))
def test_frozen_module_has_the_parameters_that_cost_predicts(seed: int) -> None:
    graph, route, _, frozen = frozen_pair(seed, 0)
    assert sum(parameter.numel() for parameter in frozen.parameters()) == cost(graph, route, INPUTS).num_params
    assert frozen.graph == narrow(graph, route)
    assert {slot.name for slot in frozen.graph.slots} == reach(graph, route).slots


@pytest.mark.parametrize("seed", range(15))
def test_order_in_which_a_route_lists_inputs_means_nothing(seed: int) -> None:
    _, route, net, frozen = frozen_pair(seed, 0)
    turned = {
        name: Mix(inputs=mix.inputs[::-1], forward_only=mix.forward_only, gate=mix.gate, query=mix.query)
        for name, mix in route.mixes
    }
    other = freeze(net, route.replace(mixes=turned))
    batch = random_features(INPUTS, rows=4, seed=seed)
    for ours, theirs in zip(other(batch, whole(other.graph)), frozen(batch, whole(frozen.graph)), strict=True):
        torch.testing.assert_close(ours, theirs, **EXACT)


def test_frozen_weights_are_a_copy() -> None:
    _, _, net, frozen = frozen_pair(1, 0)
    batch = random_features(INPUTS, rows=4, seed=0)
    before = frozen(batch, whole(frozen.graph))
    randomise(net, seed=99)
    after = frozen(batch, whole(frozen.graph))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("seed", range(10))
def test_freezing_a_frozen_route_changes_nothing(seed: int) -> None:
    _, _, _, frozen = frozen_pair(seed, 2)
    again = freeze(frozen, full_route(frozen.graph))
    assert again.graph == frozen.graph
    for (name, ours), (other, theirs) in zip(again.named_parameters(), frozen.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("seed", range(10))
def test_frozen_gradients_are_those_of_the_supernet(seed: int) -> None:
    """Forward-only connections stop gradients in the frozen module too: the encoders' gradients agree."""
    graph, route, net, frozen = frozen_pair(seed, 0)
    batch = random_features(INPUTS, rows=6, seed=seed)
    selection = Selection.from_routes(graph, [[route]] * 3, dtype=torch.float64)
    sum(out[0].square().sum() for out in net(batch, selection)).backward()  # type: ignore[union-attr]
    sum(out.square().sum() for out in frozen(batch, whole(frozen.graph))).backward()  # type: ignore[union-attr]
    theirs = dict(zip([e.name for e in graph.encoders], net.encoders, strict=True))
    for node, encoder in zip(frozen.graph.encoders, frozen.encoders, strict=True):
        for mine, other in zip(encoder.parameters(), theirs[node.name].parameters(), strict=True):
            if other.grad is None or mine.grad is None:
                assert other.grad is None or not other.grad.any()
                assert mine.grad is None or not mine.grad.any()
            else:
                torch.testing.assert_close(mine.grad[0], other.grad[0], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_frozen_aligned_route_computes_what_the_aligned_supernet_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    if len(graph.encoders) > 1:
        pytest.skip("alignment is for one encoder")
    route = random_route(rng, graph)
    net = Supernet(graph, INPUTS, [0, 1], dtype=torch.float64, aligned=True)
    randomise(net, seed=seed, scale=0.4)
    frozen = freeze(net, route, candidate=1)
    batch = random_features(INPUTS, rows=6, seed=seed)
    expected = net(batch, Selection.from_routes(graph, [[route]] * 2, dtype=torch.float64))
    for ours, theirs in zip(frozen(batch, whole(frozen.graph)), expected, strict=True):
        torch.testing.assert_close(ours[0], theirs[1], **EXACT)
    found = aligned_cost(cost(graph, route, INPUTS), num_tasks=len(graph.tasks), input_width=INPUTS.width)
    assert sum(parameter.numel() for parameter in frozen.parameters()) == found.num_params
