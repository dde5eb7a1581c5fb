"""Settings of gates at the ends of their ranges: finite numbers and gradients, in training and in evaluation."""

from __future__ import annotations

import pytest
import torch

from mtnas.errors import SpaceError
from mtnas.routes import GateKind
from mtnas.routes.gate_settings import GATE_SETTINGS, check_gate_settings
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet
from tests.supernets.batches import random_features
from tests.supernets.gates.one_junction import INPUTS, ROWS, gated_graph, noise
from tests.supernets.weights import randomise

EXTREMES = [
    (GateKind.HARD_CONCRETE, "temperature", 1e-6),
    (GateKind.HARD_CONCRETE, "temperature", 1e6),
    (GateKind.HARD_CONCRETE, "stretch_low", -1e-9),
    (GateKind.HARD_CONCRETE, "stretch_low", -1e6),
    (GateKind.HARD_CONCRETE, "stretch_high", 1 + 1e-9),
    (GateKind.HARD_CONCRETE, "stretch_high", 1e6),
    (GateKind.HARD_CONCRETE, "l0", 1e6),
    (GateKind.DSELECT_K, "k", 0.0),
    (GateKind.DSELECT_K, "k", 1e6),
    (GateKind.DSELECT_K, "smooth_step", 1e-6),
    (GateKind.DSELECT_K, "smooth_step", 1e6),
    (GateKind.DSELECT_K, "dselect_entropy", 1e6),
    (GateKind.DSELECT_K, "dselect_mass", 1e6),
    (GateKind.CONTROLLER, "controller_noise", 0.0),
    (GateKind.CONTROLLER, "controller_noise", 1e6),
    (GateKind.CONTROLLER, "hard_passes", 0.0),
    (GateKind.CONTROLLER, "hard_passes", 1.0),
    (GateKind.BINARY, "binary_temperature", 1e-6),
    (GateKind.BINARY, "binary_temperature", 1e6),
    (GateKind.BINARY, "binary_open", 0.0),
    (GateKind.BINARY, "binary_open", 1e6),
]


def test_every_setting_is_tried() -> None:
    assert {name for _, name, _ in EXTREMES} == set(GATE_SETTINGS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "name", "value"), EXTREMES)
def test_extreme_settings_stay_finite(kind: GateKind, name: str, value: float, dtype: torch.dtype) -> None:
    graph = gated_graph(kind, sources=3)
    net = Supernet(graph, INPUTS, [0], dtype=dtype)
    randomise(net, seed=0)
    chosen = Selection.from_routes(graph, [[full_route(graph)]], dtype=dtype, gate=[{name: value}])
    batch = random_features(INPUTS, rows=ROWS, seed=0, dtype=dtype)
    for drawn in (None, noise()):
        net.zero_grad()
        trunk = net.trunk(batch, chosen, drawn)
        outputs = net.read_out(trunk)
        penalty = trunk.penalty(chosen)
        loss = torch.cat(outputs).square().sum() + (0 if penalty is None else penalty)
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "value"),
    [("hard_passes", 1.5), ("hard_passes", -0.1), ("controller_noise", -1.0), ("controller_noise", float("inf"))],
)
def test_settings_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(SpaceError, match=rf"settings.gate.{name}"):
        check_gate_settings({name: value})
