"""Binary gates: zeros and ones for every row, open as often as they are probable, closed where that pays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtnas.routes import GateKind
from mtnas.supernets import Selection, Supernet
from mtnas.training.step.noise import Noise
from tests.supernets.gates.one_junction import (
    ROWS,
    batch,
    gate_of,
    gated_graph,
    noise,
    outputs,
    pack,
    selection,
    trunk,
)
from tests.supernets.weights import randomise


def make(*, query: str = "input", num_candidates: int = 1) -> Supernet:
    """Two towers' gates with random weights."""
    net = pack(gated_graph(GateKind.BINARY, query=query), num_candidates)
    randomise(net, seed=1)
    return net


def values(net: Supernet, chosen: Selection, drawn: Noise | None = None) -> Tensor:
    """``[K, J, N, B]`` of a pass."""
    seen: list[Tensor] = []
    handle = gate_of(net).register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    net.trunk(batch(), chosen, drawn)
    handle.remove()
    return seen[0].expand(-1, -1, -1, ROWS)


def logits(net: Supernet) -> Tensor:
    """``[J, N, B]`` of gates with the query ``input``, or without one."""
    gate = gate_of(net)
    weight = gate.weights["0"][0] if len(gate.weights) else torch.zeros(2, 4, 4, dtype=torch.float64)
    return (batch().numeric[0] @ weight).transpose(1, 2) + gate.biases["0"][0].unsqueeze(-1)


@pytest.mark.parametrize("query", ["input", "static"])
def test_evaluation_opens_what_is_likelier_open_than_closed(query: str) -> None:
    net = make(query=query)
    assert torch.equal(values(net, selection(net.graph))[0], (logits(net) > 0).double())


@pytest.mark.parametrize("query", ["input", "static"])
def test_training_opens_connections_as_often_as_they_are_probable(query: str) -> None:
    net = make(query=query)
    chosen, draws, counts = selection(net.graph), 1000, torch.zeros(2, 4, ROWS, dtype=torch.float64)
    with torch.no_grad():
        for step in range(draws):
            found = values(net, chosen, noise(step=step))[0]
            assert ((found == 0) | (found == 1)).all()
            counts += found
    # The standard error of a frequency of 1000 draws is below .016; five of them.
    assert (counts / draws - logits(net).sigmoid()).abs().max() < 0.08


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_gradients_are_those_of_the_sigmoid_at_the_temperature(temperature: float) -> None:
    net = make()
    weights = list(gate_of(net).parameters())
    direction = torch.randn(2, 4, ROWS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = values(net, selection(net.graph, [{"binary_temperature": temperature}]))[0]
    expected = (logits(net) / temperature).sigmoid()
    for mine, theirs in zip(
        torch.autograd.grad((found * direction).sum(), weights),
        torch.autograd.grad((expected * direction).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("query", ["input", "static"])
def test_penalty_is_the_expected_number_of_open_connections(query: str) -> None:
    net = make(query=query)
    expected = logits(net).expand(-1, -1, ROWS).sigmoid().sum((0, 1)).mean()
    for drawn in (None, noise(step=3)):
        found = trunk(net, selection(net.graph), drawn).penalties["binary_open"]
        assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-12)


def test_penalty_counts_the_edges_of_every_route_group_alone() -> None:
    net = make()
    one = selection(net.graph)
    edges = one.edges.repeat(1, 2, 1)
    edges[:, 1] = 0
    both = Selection(
        edges=edges,
        gates=one.gates.repeat(1, 2, 1),
        queries=one.queries.repeat(1, 2, 1),
        blocks=one.blocks.repeat(1, 2, 1),
    )
    group = next(group for group in net.gates.values() if group.kinds)
    seen = []
    handle = group.kinds["binary"].register_forward_hook(lambda _m, _i, gated: seen.append(gated.penalties))
    net.trunk(batch(), both)
    handle.remove()
    found = seen[0]["binary_open"][0]
    torch.testing.assert_close(found[0], logits(net)[..., : ROWS // 2].sigmoid().sum(1).mean(-1))
    assert not found[1].any()


def test_connections_are_mostly_open_at_the_start() -> None:
    net = pack(gated_graph(GateKind.BINARY, query="static"))
    assert (values(net, selection(net.graph)) == 1).all()


def test_settings_change_training_for_their_candidate_alone() -> None:
    net = make(num_candidates=2)
    chosen = selection(net.graph, [{}, {"binary_temperature": 5.0}])
    outputs(net, chosen, noise(2)).square().sum().backward()
    usual = [p.grad.clone() for p in gate_of(net).parameters() if p.grad is not None]
    net.zero_grad()
    outputs(net, selection(net.graph, [{}, {}]), noise(2)).square().sum().backward()
    same = [p.grad for p in gate_of(net).parameters() if p.grad is not None]
    assert usual
    for mine, theirs in zip(usual, same, strict=True):
        assert torch.equal(mine[0], theirs[0])
        assert not torch.equal(mine[1], theirs[1])
