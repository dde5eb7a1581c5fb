"""Packs: nothing that a candidate computes depends on who else is in the pack, or on how rows are grouped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import RouteGraph
from mtnas.supernets import Selection, Supernet
from mtnas.training.step.noise import Noise
from tests.routes.random_graphs import INPUTS, random_graph, random_route
from tests.supernets.batches import RandomFeatures, random_features
from tests.supernets.weights import randomise

K = 5
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def gradients(net: Supernet, outputs: tuple[Tensor, ...], weigh: list[Tensor]) -> dict[str, Tensor]:
    net.zero_grad()
    sum((out * w).sum() for out, w in zip(outputs, weigh, strict=True)).backward()  # type: ignore[union-attr]
    return {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in net.named_parameters()}


def weights_of_outputs(outputs: tuple[Tensor, ...], seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(out.shape, generator=generator, dtype=torch.float64) for out in outputs]


def alone(net: Supernet, graph: RouteGraph, candidate: int) -> Supernet:
    """A pack of one with the candidate's weights."""
    single = Supernet(graph, INPUTS, [0], dtype=torch.float64)
    theirs = dict(net.named_parameters())
    with torch.no_grad():
        for name, parameter in single.named_parameters():
            parameter.copy_(theirs[name][candidate : candidate + 1])
    return single


@pytest.mark.parametrize("seed", range(12))
def test_candidate_in_a_pack_equals_the_candidate_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    routes = [random_route(rng, graph) for _ in range(K)]
    net = Supernet(graph, INPUTS, range(K), dtype=torch.float64)
    randomise(net, seed=seed, scale=0.3)
    batch = random_features(INPUTS, rows=7, seed=seed, seed_of=(0, 1, 2, 1, 0))
    outputs = net(batch, Selection.from_routes(graph, [[route] for route in routes], dtype=torch.float64))
    weigh = weights_of_outputs(outputs, seed)
    found = gradients(net, outputs, weigh)
    for k, route in enumerate(routes):
        single = alone(net, graph, k)
        expected = single(batch.of_candidate(k), Selection.from_routes(graph, [[route]], dtype=torch.float64))
        for ours, theirs in zip(outputs, expected, strict=True):
            torch.testing.assert_close(ours[k], theirs[0], **EXACT)
        for name, theirs in gradients(single, expected, [w[k : k + 1] for w in weigh]).items():
            torch.testing.assert_close(found[name][k], theirs[0], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("seed", range(6))
def test_order_of_candidates_means_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    routes = [random_route(rng, graph) for _ in range(K)]
    net = Supernet(graph, INPUTS, range(K), dtype=torch.float64)
    randomise(net, seed=seed, scale=0.3)
    batch = random_features(INPUTS, rows=4, seed=seed)
    selection = Selection.from_routes(graph, [[route] for route in routes], dtype=torch.float64)
    outputs = net(batch, selection)
    order = torch.tensor([3, 0, 4, 2, 1])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(parameter[order].clone())
    for ours, theirs in zip(net(batch, selection.keep(order)), outputs, strict=True):
        torch.testing.assert_close(ours, theirs[order], **EXACT)


@pytest.mark.parametrize("seed", range(12))
def test_route_groups_along_the_batch_equal_separate_passes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    groups, rows = 3, 4
    routes = [[random_route(rng, graph) for _ in range(groups)] for _ in range(2)]
    net = Supernet(graph, INPUTS, [0, 1], dtype=torch.float64)
    randomise(net, seed=seed, scale=0.3)
    batch = random_features(INPUTS, rows=groups * rows, seed=seed, seed_of=(1, 0))
    outputs = net(batch, Selection.from_routes(graph, routes, dtype=torch.float64))
    weigh = weights_of_outputs(outputs, seed)
    together = gradients(net, outputs, weigh)
    apart = {name: torch.zeros_like(gradient) for name, gradient in together.items()}
    for g in range(groups):
        at = slice(g * rows, (g + 1) * rows)
        selection = Selection.from_routes(graph, [[row[g]] for row in routes], dtype=torch.float64)
        expected = net(batch.rows(at.start, at.stop), selection)
        for ours, theirs in zip(outputs, expected, strict=True):
            torch.testing.assert_close(ours[:, at], theirs, **EXACT)
        for name, gradient in gradients(net, expected, [w[:, at] for w in weigh]).items():
            apart[name] += gradient
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, apart[name], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_rows_do_not_see_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    net = Supernet(graph, INPUTS, [0], dtype=torch.float64)
    randomise(net, seed=seed, scale=0.3)
    batch = random_features(INPUTS, rows=6, seed=seed)
    selection = Selection.from_routes(graph, [[random_route(rng, graph)]], dtype=torch.float64)
    whole = net(batch, selection)
    for row in range(6):
        for ours, theirs in zip(net(batch.rows(row, row + 1), selection), whole, strict=True):
            torch.testing.assert_close(ours[:, 0], theirs[:, row], **EXACT)


def small() -> tuple[RouteGraph, Supernet, RandomFeatures]:
    graph = random_graph(np.random.default_rng(4))
    return graph, Supernet(graph, INPUTS, [0, 1]), random_features(INPUTS, rows=7, seed=0, dtype=torch.float32)


@pytest.mark.parametrize("num_candidates", [1, 3])
def test_selection_of_another_pack_is_refused(num_candidates: int) -> None:
    graph, net, batch = small()
    route = random_route(np.random.default_rng(0), graph)
    with pytest.raises(SpaceError, match=rf"selection: expected 2 candidates.*, found {num_candidates} candidates"):
        net(batch, Selection.from_routes(graph, [[route]] * num_candidates))


def test_groups_that_do_not_divide_the_rows_are_refused() -> None:
    graph, net, batch = small()
    route = random_route(np.random.default_rng(0), graph)
    with pytest.raises(SpaceError, match=r"route groups that divide 7 rows, found 2 candidates.*, 2 route groups"):
        net(batch, Selection.from_routes(graph, [[route, route]] * 2))


def test_selection_of_another_graph_is_refused() -> None:
    graph, net, batch = small()
    other = random_graph(np.random.default_rng(11))
    assert other != graph
    with pytest.raises(SpaceError, match="selection: expected 2 candidates"):
        net(batch, Selection.from_routes(other, [[random_route(np.random.default_rng(0), other)]] * 2))


@pytest.mark.parametrize("seed", range(12))
def test_copies_of_a_batch_are_its_rows_again_for_every_route_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    routes = [[random_route(rng, graph) for _ in range(3)] for _ in range(2)]
    net = Supernet(graph, INPUTS, range(2), dtype=torch.float64)
    randomise(net, seed=seed, scale=0.3)
    batch = random_features(INPUTS, rows=7, seed=seed, seed_of=(0, 1))
    found = net(batch, Selection.from_routes(graph, routes, dtype=torch.float64), copies=3)
    for group in range(3):
        chosen = Selection.from_routes(graph, [[of_candidate[group]] for of_candidate in routes], dtype=torch.float64)
        for ours, theirs in zip(found, net(batch, chosen), strict=True):
            torch.testing.assert_close(ours[:, group * 7 : (group + 1) * 7], theirs, **EXACT)


def test_copies_are_refused_under_noise() -> None:
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    net = Supernet(graph, INPUTS, [0])
    selection = Selection.from_routes(graph, [[random_route(rng, graph)]])
    noise = Noise(seeds=[0], dropout=[0.1], device=torch.device("cpu"))
    batch = random_features(INPUTS, rows=7, seed=0, dtype=torch.float32)
    with pytest.raises(SpaceError, match="copies"):
        net(batch, selection, noise, copies=2)
