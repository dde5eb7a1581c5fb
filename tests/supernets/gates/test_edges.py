"""Edges as numbers: what their values and slopes are where they are off, on, or between."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtnas.routes import GateKind
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Layout, Selection
from mtnas.supernets.gates.softmax_values import softmax_over
from tests.supernets.gates.one_junction import batch, gated_graph, pack
from tests.supernets.weights import randomise

WEIGHING = (GateKind.SOFTMAX, GateKind.ATTENTION, GateKind.CONTROLLER)


def drawn(seed: int, *, relaxed: bool) -> tuple[Tensor, Tensor]:
    """Logits and edges ``[1, 3, 5, 4]``: edges between 0 and 1, or 0 and 1 with at least one on."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 3, 5, 4, generator=generator, dtype=torch.float64) * 30
    edges = torch.rand(1, 3, 5, 4, generator=generator, dtype=torch.float64)
    if not relaxed:
        edges = (edges > 0.5).double()
        edges[:, :, 0] = 1
    return logits, edges


@pytest.mark.parametrize("relaxed", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_values_are_the_softmax_weighed_by_edges(seed: int, *, relaxed: bool) -> None:
    """Against e^logit * edge / sum in logarithms: bounding slopes must not touch values."""
    logits, edges = drawn(seed, relaxed=relaxed)
    expected = (logits + edges.log()).softmax(2)
    torch.testing.assert_close(softmax_over(logits, edges), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", range(10))
def test_slopes_of_logits_and_of_edges_that_are_on_are_exact(seed: int) -> None:
    """The exact slopes: of a logit the softmax's, of an edge w_i / e_i (1[i = j] - w_j) ."""
    logits, edges = drawn(seed, relaxed=True)
    logits, edges = (logits / 30).requires_grad_(), edges.requires_grad_()
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = torch.autograd.grad((softmax_over(logits, edges) * direction).sum(), [logits, edges])
    expected = torch.autograd.grad(((logits + edges.log()).softmax(2) * direction).sum(), [logits, edges])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("ahead", [0.0, 5.0, 50.0, 1e4])
def test_slope_of_an_edge_that_is_off_is_at_most_that_of_the_highest_active_source(ahead: float) -> None:
    logits = torch.tensor([0.0, -1.0, ahead], dtype=torch.float64).view(1, 1, 3, 1)
    edges = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64).view(1, 1, 3, 1).requires_grad_()
    (slope,) = torch.autograd.grad(softmax_over(logits, edges)[0, 0, 2, 0], [edges])
    assert 0 < float(slope[0, 0, 2, 0]) <= 1


@pytest.mark.parametrize("kind", WEIGHING)
def test_straight_through_gradients_of_edges_stay_in_the_size_of_the_sources(kind: GateKind) -> None:
    """Off or on, an edge changes a mixture by the difference of two mixtures at most: a bound on its slope."""
    graph = gated_graph(kind, query="input")
    net = pack(graph)
    randomise(net, seed=0, scale=20.0)
    chosen = Selection.from_routes(graph, [[full_route(graph)]], dtype=torch.float64)
    at = [index for (junction, _), index in Layout.of(graph).edges.items() if junction == "to.a"]
    edges = chosen.edges.clone()
    edges[..., at[1:]] = 0
    edges.requires_grad_()
    found = net.trunk(
        batch(),
        Selection(edges=edges, gates=chosen.gates, queries=chosen.queries, blocks=chosen.blocks),
    )
    mixed = found.one("to.a")
    (bank,) = net.banks.values()
    sources = batch().numeric[0] @ bank.weight[0]
    for row in range(mixed.shape[1]):
        for unit in range(mixed.shape[2]):
            (slope,) = torch.autograd.grad(mixed[0, row, unit], [edges], retain_graph=True)
            reach = (sources[:, row, unit] - mixed[0, row, unit]).abs()
            assert (slope[0, 0, at].abs() <= reach + 1e-9).all()


@pytest.mark.parametrize("total", [0.2, 0.9, 1.5])
def test_average_hands_gradients_to_every_edge_whatever_they_sum_to(total: float) -> None:
    """Below a sum of 1 the values are the edges themselves (z / max(sum z, 1)), with the slope 1 each."""
    graph = gated_graph(GateKind.AVERAGE)
    net = pack(graph)
    randomise(net, seed=0)
    chosen = Selection.from_routes(graph, [[full_route(graph)]], dtype=torch.float64)
    at = [index for (junction, _), index in Layout.of(graph).edges.items() if junction == "to.a"]
    start = chosen.edges.clone()
    start[..., at] = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64) * total

    def output(edges: Tensor) -> Tensor:
        selection = Selection(edges=edges, gates=chosen.gates, queries=chosen.queries, blocks=chosen.blocks)
        return net.trunk(batch(), selection).one("to.a").square().sum()

    edges = start.clone().requires_grad_()
    (found,) = torch.autograd.grad(output(edges), [edges])
    assert (found[0, 0, at] != 0).all()
    for index in at:
        step = torch.zeros_like(start)
        step[..., index] = 1e-6
        with torch.no_grad():
            slope = (output(start + step) - output(start - step)) / 2e-6
        assert float(found[0, 0, index]) == pytest.approx(float(slope), rel=1e-5)
