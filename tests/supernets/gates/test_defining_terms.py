"""No gate is a softmax under another name: without what defines it, a planted problem leaves other gate values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from mtnas.routes import GateKind
from mtnas.supernets import Selection
from tests.supernets.batches import random_features
from tests.supernets.gates.one_junction import INPUTS, gate_of, gated_graph, noise, pack, selection


class Silent:
    """Draws without chance: every number is the median."""

    def dropout(self, x: Tensor) -> Tensor:
        return x

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return torch.full((1, *shape), 0.5)

    def uniform_rows(self, shape: Sequence[int], num_rows: int) -> Tensor:
        return self.uniform((*shape, num_rows))


def learned(kind: GateKind, settings: Mapping[str, float], *, silent: bool = False, query: str = "static") -> Tensor:
    """Values ``[J, N, B]`` in evaluation after training towards one source's worth of signal and one of noise."""
    net = pack(gated_graph(kind, sources=3, query=query))
    chosen: Selection = selection(net.graph, [settings])
    x = random_features(INPUTS, rows=64, seed=2)
    numbers = x.numeric[0]
    targets = torch.stack([numbers[:, 0] * (numbers[:, 1] > 0), numbers[:, 2]], dim=1)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.05)
    drawn = noise()
    for step in range(60):
        drawn.at_step(step)
        optimiser.zero_grad()
        trunk = net.trunk(x, chosen, Silent() if silent else drawn)
        loss = (torch.cat(net.read_out(trunk), dim=-1)[0] - targets).square().mean()
        penalty = trunk.penalty(chosen)
        (loss if penalty is None else loss + penalty).backward()
        optimiser.step()
    seen: list[Tensor] = []
    gate_of(net).register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    with torch.no_grad():
        net.trunk(x, chosen)
    return seen[0][0]


@pytest.mark.parametrize(
    ("kind", "settings", "without"),
    [
        (GateKind.HARD_CONCRETE, {"l0": 0.05}, {"l0": 0.0}),
        (GateKind.DSELECT_K, {"dselect_entropy": 0.3}, {"dselect_entropy": 0.0}),
        (GateKind.DSELECT_K, {"dselect_mass": 0.3}, {"dselect_mass": 0.0}),
        (GateKind.CONTROLLER, {"hard_passes": 0.5}, {"hard_passes": 0.0}),
        (
            GateKind.CONTROLLER,
            {"hard_passes": 1.0, "controller_noise": 2.0},
            {"hard_passes": 1.0, "controller_noise": 0},
        ),
        (GateKind.BINARY, {"binary_open": 0.3}, {"binary_open": 0.0}),
    ],
)
def test_without_a_term_other_values_are_learned(
    kind: GateKind, settings: Mapping[str, float], without: Mapping[str, float]
) -> None:
    query = "input" if kind in (GateKind.CONTROLLER, GateKind.BINARY) else "static"
    one, other = (learned(kind, found, query=query) for found in (settings, without))
    assert (one - other).abs().max() > 0.05


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (GateKind.HARD_CONCRETE, {}),
        (GateKind.BINARY, {"binary_open": 0.1}),
        (GateKind.CONTROLLER, {"hard_passes": 1.0}),
    ],
)
def test_without_chance_other_values_are_learned(kind: GateKind, settings: Mapping[str, float]) -> None:
    query = "static" if kind is GateKind.HARD_CONCRETE else "input"
    noisy, silent = (learned(kind, settings, silent=silent, query=query) for silent in (False, True))
    assert (noisy - silent).abs().max() > 0.05
