"""Hard concrete gates: closed exactly, open as often as they say, and silent in evaluation."""

from __future__ import annotations

import pytest
import torch

from mtnas.errors import SpaceError
from mtnas.routes import GateKind
from mtnas.supernets.gates import HardConcreteGate
from mtnas.training.step.noise import Noise
from tests.supernets.gates.one_junction import batch, gate_of, gated_graph, noise, outputs, pack, selection, trunk

GRAPH = gated_graph(GateKind.HARD_CONCRETE)


def make(log_alpha: list[float] | None = None, num_candidates: int = 1):  # type: ignore[no-untyped-def]
    net = pack(GRAPH, num_candidates)
    gate = gate_of(net)
    assert isinstance(gate, HardConcreteGate)
    if log_alpha is not None:
        with torch.no_grad():
            gate.log_alpha.copy_(torch.tensor(log_alpha, dtype=torch.float64).expand_as(gate.log_alpha))
    return net, gate


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"stretch_low": -0.4}, {"stretch_high": 1.6}])
def test_expected_open_connections_equal_their_frequency(settings: dict[str, float]) -> None:
    log_alpha = [-2.0, -0.5, 0.3, 2.0]
    seeds, steps, opened = range(40), 100, 0.0
    net, gate = make(log_alpha, len(seeds))
    chosen = selection(GRAPH, [settings] * len(seeds))
    penalty = trunk(net, chosen).penalties["l0"][0].item()
    drawn = Noise(seeds=seeds, dropout=[0.0] * len(seeds), device=torch.device("cpu"))
    for step in range(steps):
        drawn.at_step(step)
        with torch.no_grad():
            opened += _values(net, gate, chosen, drawn).gt(0).sum().item()
    # The standard error of a mean of 4000 counts of up to eight connections is below .03.
    assert opened / (len(seeds) * steps) == pytest.approx(penalty, abs=0.1)


def test_penalty_is_the_closed_form_of_the_paper() -> None:
    net, _ = make([0.0, 1.0, -1.0, 3.0])
    expected = 2 * sum(
        torch.sigmoid(torch.tensor(a) - 0.9 * torch.log(torch.tensor(0.1 / 1.1))).item() for a in (0.0, 1.0, -1.0, 3.0)
    )
    assert trunk(net, selection(GRAPH)).penalties["l0"].item() == pytest.approx(expected, rel=1e-6)


def test_values_reach_exactly_zero_and_one() -> None:
    net, gate = make([-6.0, -6.0, 6.0, 6.0])
    assert _values(net, gate, selection(GRAPH), None).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]


def test_evaluation_is_deterministic_and_training_is_not() -> None:
    net, _ = make()
    chosen = selection(GRAPH)
    assert torch.equal(outputs(net, chosen), outputs(net, chosen))
    assert not torch.equal(outputs(net, chosen, noise(step=0)), outputs(net, chosen, noise(step=1)))
    assert torch.equal(outputs(net, chosen, noise(step=3)), outputs(net, chosen, noise(step=3)))


@pytest.mark.parametrize("settings", [{"temperature": 0.4}, {"stretch_low": -0.5}, {"stretch_high": 1.5}])
def test_every_setting_changes_training(settings: dict[str, float]) -> None:
    net, _ = make([-0.4, 0.1, 0.2, 0.3])
    usual, other = (outputs(net, selection(GRAPH, [s]), noise(step=5)) for s in ({}, settings))
    assert not torch.allclose(usual, other)


@pytest.mark.parametrize("settings", [{"stretch_low": -0.5}, {"stretch_high": 1.5}])
def test_stretch_changes_evaluation(settings: dict[str, float]) -> None:
    net, _ = make([-0.4, 0.1, 0.2, 0.3])
    assert not torch.allclose(outputs(net, selection(GRAPH)), outputs(net, selection(GRAPH, [settings])))


def test_weight_of_the_penalty_is_each_candidates_own() -> None:
    net, gate = make(num_candidates=2)
    chosen = selection(GRAPH, [{"l0": 0.0}, {"l0": 2.0}])
    found = trunk(net, chosen)
    penalty = found.penalty(chosen)
    assert penalty is not None
    assert penalty.item() == pytest.approx(2 * found.penalties["l0"][1].item())
    (gradient,) = torch.autograd.grad(penalty, [gate.log_alpha])
    assert not gradient[0].any()
    assert (gradient[1] > 0).all()


@pytest.mark.parametrize("extreme", [-1e3, -40.0, 40.0, 1e3])
@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_finite_at_extremes(extreme: float, *, training: bool) -> None:
    net, _ = make([extreme, 0.0, extreme, 0.0])
    chosen = selection(GRAPH)
    found = net.trunk(batch(), chosen, noise() if training else None)
    penalty = found.penalty(chosen)
    assert penalty is not None
    (net.read_out(found)[0].sum() + penalty).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_unknown_and_impossible_settings_are_refused() -> None:
    with pytest.raises(SpaceError, match=r"settings.gate.heat.*expected one of"):
        selection(GRAPH, [{"heat": 1.0}])
    with pytest.raises(SpaceError, match=r"settings.gate.stretch_low"):
        selection(GRAPH, [{"stretch_low": 0.2}])


def _values(net, gate, chosen, drawn):  # type: ignore[no-untyped-def]
    """Values ``[J, N]``, of a pack ``[K, J, N]``, that the gate gives in a pass."""
    seen = []
    handle = gate.register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    net.trunk(batch(), chosen, drawn)
    handle.remove()
    return seen[0][..., 0].squeeze(0)
