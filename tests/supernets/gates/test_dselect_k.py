"""DSelect-k gates: at most k sources once the codes have settled, and every term for every task."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import GateKind
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.gates import DSelectGate
from mtnas.supernets.gates.dselect_k import smooth_step
from tests.supernets.gates.one_junction import batch, gate_of, gated_graph, outputs, pack, selection, trunk
from tests.supernets.weights import randomise


def make(
    *, sources: int, selectors: int, query: str = "static", num_candidates: int = 1
) -> tuple[Supernet, DSelectGate]:
    net = pack(gated_graph(GateKind.DSELECT_K, sources=sources, selectors=selectors, query=query), num_candidates)
    gate = gate_of(net)
    assert isinstance(gate, DSelectGate)
    return net, gate


def values(net: Supernet, chosen: Selection | None = None) -> Tensor:
    """``[J, N, B]`` of the first candidate."""
    seen = []
    handle = gate_of(net).register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    net.trunk(batch(), selection(net.graph) if chosen is None else chosen)
    handle.remove()
    return seen[0][0]


@pytest.mark.parametrize(("sources", "selectors"), list(itertools.product((2, 3, 4, 5, 8), (1, 2, 3))))
@pytest.mark.parametrize("query", ["static", "input"])
def test_settled_codes_leave_at_most_k_sources(sources: int, selectors: int, query: str) -> None:
    selectors = min(selectors, sources)
    net, gate = make(sources=sources, selectors=selectors, query=query)
    randomise(net, seed=1)
    with torch.no_grad():
        settled = gate.biases[..., selectors:]
        settled.copy_(settled.sign() * (1e3 if query == "input" else 0.6))
    found = values(net)
    assert ((found > 0).sum(1) <= selectors).all()
    if sources & (sources - 1) == 0:
        torch.testing.assert_close(found.sum(1), torch.ones_like(found.sum(1)))


@pytest.mark.parametrize("sources", [2, 4, 8])
def test_values_sum_to_one_for_powers_of_two(sources: int) -> None:
    net, _ = make(sources=sources, selectors=2, query="input")
    randomise(net, seed=2, scale=0.3)
    found = values(net)
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(1), torch.ones_like(found.sum(1)))
    assert set(trunk(net, selection(net.graph)).penalties) == {"dselect_entropy"}


def test_missing_mass_of_other_numbers_is_a_penalty() -> None:
    net, _ = make(sources=3, selectors=2)
    randomise(net, seed=3, scale=0.3)
    found = trunk(net, selection(net.graph)).penalties
    assert set(found) == {"dselect_entropy", "dselect_mass"}
    assert values(net).sum(1).max() < 1
    assert found["dselect_mass"].item() > 4  # two selectors for each of two towers, 1 / mass > 1


def test_entropy_of_every_task_is_counted() -> None:
    net, gate = make(sources=4, selectors=2)
    penalty = trunk(net, selection(net.graph)).penalties["dselect_entropy"].sum()
    (gradient,) = torch.autograd.grad(penalty, [gate.biases])
    codes = gradient[0, :, 2:]
    assert (codes.abs() > 0).all(), "a task's codes feel no entropy term"


def test_smooth_step_is_the_papers() -> None:
    t = torch.linspace(-2, 2, 81, dtype=torch.float64)
    for width in (0.5, 1.0, 3.0):
        inside = -2 * t**3 / width**3 + 3 * t / (2 * width) + 0.5
        expected = torch.where(t <= -width / 2, 0.0, torch.where(t >= width / 2, 1.0, inside))
        torch.testing.assert_close(smooth_step(t, width), expected)


def test_k_leaves_out_the_last_selectors_of_that_candidate_alone() -> None:
    net, gate = make(sources=8, selectors=3, num_candidates=2)
    with torch.no_grad():
        gate.biases[..., 3:] = torch.where(torch.rand(gate.biases[..., 3:].shape) < 0.5, -1.0, 1.0)
        gate.biases[..., 3:] = torch.tensor([1, 1, 1, -1, -1, -1, 1, -1, 1], dtype=torch.float64)
    chosen = selection(net.graph, [{"k": 1.0}, {}])
    seen = []
    handle = gate.register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    net.trunk(batch(), chosen)
    handle.remove()
    assert ((seen[0] > 0).sum(2).squeeze(-1)).tolist() == [[1, 1], [3, 3]]


@pytest.mark.parametrize("settings", [{"k": 1.0}, {"smooth_step": 0.3}])
@pytest.mark.parametrize("query", ["static", "input"])
def test_every_setting_changes_the_outputs(settings: dict[str, float], query: str) -> None:
    net, _ = make(sources=4, selectors=2, query=query)
    randomise(net, seed=4, scale=0.2)
    assert not torch.allclose(outputs(net, selection(net.graph)), outputs(net, selection(net.graph, [settings])))


@pytest.mark.parametrize("name", ["dselect_entropy", "dselect_mass"])
def test_every_weight_changes_the_penalty(name: str) -> None:
    net, _ = make(sources=3, selectors=2)
    usual, other = (selection(net.graph, [s]) for s in ({}, {name: 7.0}))
    assert trunk(net, usual).penalty(usual) != trunk(net, other).penalty(other)


@pytest.mark.parametrize("extreme", [0.0, 0.5, 1e3])
def test_gradients_are_finite_at_extremes(extreme: float) -> None:
    net, gate = make(sources=3, selectors=2)
    with torch.no_grad():
        gate.biases.fill_(extreme)
    chosen = selection(net.graph)
    found = trunk(net, chosen)
    penalty = found.penalty(chosen)
    assert penalty is not None
    (net.read_out(found)[0].sum() + penalty).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_more_selectors_than_sources_are_refused() -> None:
    graph = gated_graph(GateKind.DSELECT_K, sources=4, selectors=2)
    junction = next(j for j in graph.junctions if len(j.edges) > 1)
    with pytest.raises(SpaceError, match="1 to 4 selectors"):
        replace(junction, selectors=5)
