"""Training adds what the gates ask for to the loss, with every candidate's own weights and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from mtnas.routes import GateKind
from mtnas.routes.building.relaxed import with_gate
from mtnas.routes.gate_settings import GATE_SETTINGS
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets.gates import Gate
from mtnas.supernets.junctions import JunctionGroup
from mtnas.training.measuring.evaluate import evaluate
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import UpGradBalancer
from mtnas.trials import Settings
from tests.training.together import INPUTS, TASKS, network, rows

RECIPE = Recipe(batch_size=32, epochs=2, precision="float64")


def trained(
    kind: GateKind, gate: Sequence[Mapping[str, float]], recipe: Recipe = RECIPE, *, query: str = "static"
) -> PackTrainer:
    """A trained pack whose candidates differ in their gates' settings alone."""
    graph = with_gate(network().graph, kind, query=query)
    trainer = PackTrainer(
        graph=graph,
        inputs=INPUTS,
        routes=[full_route(graph)] * len(gate),
        settings=[Settings(lr=0.02, seed=3, gate=settings) for settings in gate],
        tasks=TASKS,
        data=rows(),
        recipe=recipe,
        parts=("train",),
    )
    for _ in trainer.run():
        pass
    return trainer


def gate_parameters(trainer: PackTrainer) -> Tensor:
    """All numbers of the towers' gates ``[K, ...]``."""
    gates = [
        gate
        for group in trainer.net.gates.values()
        if isinstance(group, JunctionGroup)
        for gate in group.kinds.values()
    ]
    assert all(isinstance(gate, Gate) for gate in gates)
    return torch.cat([parameter.detach().flatten(1) for gate in gates for parameter in gate.parameters()], dim=1)


def test_a_heavy_penalty_closes_connections_and_none_leaves_them_open() -> None:
    light, heavy = gate_parameters(trained(GateKind.HARD_CONCRETE, [{"l0": 0.0}, {"l0": 30.0}]))
    assert (heavy < 0).all()
    assert heavy.mean() < light.mean()


def test_the_penalty_reaches_the_gates_under_a_gradient_balancer_too() -> None:
    recipe = Recipe(batch_size=32, epochs=2, precision="float64", balancer=UpGradBalancer())
    light, heavy = (
        gate_parameters(trained(GateKind.HARD_CONCRETE, [settings], recipe))[0]
        for settings in ({"l0": 0.0}, {"l0": 30.0})
    )
    assert (heavy < 0).all()
    assert heavy.mean() < light.mean()


EVERY_SETTING: Sequence[tuple[GateKind, Mapping[str, float]]] = (
    (GateKind.HARD_CONCRETE, {"l0": 0.5}),
    (GateKind.HARD_CONCRETE, {"temperature": 0.4}),
    (GateKind.HARD_CONCRETE, {"stretch_low": -0.4}),
    (GateKind.HARD_CONCRETE, {"stretch_high": 1.5}),
    (GateKind.DSELECT_K, {"k": 1.0}),
    (GateKind.DSELECT_K, {"smooth_step": 0.5}),
    (GateKind.DSELECT_K, {"dselect_entropy": 0.5}),
    (GateKind.DSELECT_K, {"dselect_mass": 0.5}),
    (GateKind.CONTROLLER, {"controller_noise": 3.0}),
    (GateKind.CONTROLLER, {"hard_passes": 0.9}),
    (GateKind.BINARY, {"binary_temperature": 3.0}),
    (GateKind.BINARY, {"binary_open": 0.5}),
)


def test_every_setting_is_tried() -> None:
    assert {name for _, settings in EVERY_SETTING for name in settings} == set(GATE_SETTINGS)


@pytest.mark.parametrize(("kind", "settings"), EVERY_SETTING)
def test_every_setting_changes_what_is_learned_and_only_for_its_candidate(
    kind: GateKind, settings: Mapping[str, float]
) -> None:
    alone = gate_parameters(trained(kind, [{}]))
    pack = gate_parameters(trained(kind, [{}, settings]))
    torch.testing.assert_close(pack[0], alone[0], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(pack[0], pack[1], rtol=1e-6)


def test_the_entropy_term_settles_the_codes_of_every_task_on_at_most_k_sources() -> None:
    """Without it the codes stay where every source has a share."""
    recipe = Recipe(batch_size=32, epochs=40, precision="float64")
    trainer = trained(GateKind.DSELECT_K, [{"dselect_entropy": 0.0}, {"dselect_entropy": 1.0}], recipe)
    (values_KJNB,) = gate_values(trainer)
    open_KJ = (values_KJNB[..., 0] > 0).sum(2)
    assert (open_KJ[1] <= 2).all()  # k of the junctions
    assert (open_KJ[0] > 2).any()


def gate_values(trainer: PackTrainer) -> list[Tensor]:
    """Values ``[K, J, N, B]`` of the towers' gates in evaluation."""
    seen: list[Tensor] = []
    for group in trainer.net.gates.values():
        assert isinstance(group, JunctionGroup)
        for gate in group.kinds.values():
            gate.register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    evaluate(trainer.net, trainer.selection, rows(), TASKS, ["valid"])
    return seen
