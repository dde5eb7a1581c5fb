"""Controllers: one source per row in evaluation, a random mix of hard and soft passes in training, one gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import GateKind, RouteGraph
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.gates import ControllerGate
from mtnas.training.step.noise import Noise
from tests.supernets.batches import RandomFeatures, random_features
from tests.supernets.gates.one_junction import (
    INPUTS,
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

HARD, SOFT = {"hard_passes": 1.0}, {"hard_passes": 0.0}


def make(*, query: str = "input", sources: int = 4, num_candidates: int = 1, seed: int = 1) -> Supernet:
    """Two towers' controllers with random weights."""
    net = pack(gated_graph(GateKind.CONTROLLER, sources=sources, query=query), num_candidates)
    randomise(net, seed=seed)
    return net


def values(net: Supernet, chosen: Selection, drawn: Noise | None = None) -> Tensor:
    """``[K, J, N, B]`` of a pass."""
    seen: list[Tensor] = []
    handle = gate_of(net).register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    net.trunk(batch(), chosen, drawn)
    handle.remove()
    return seen[0]


def probabilities(net: Supernet) -> Tensor:
    """The softmax of the controllers' logits, ``[K, J, N, B]``: the values of a soft pass."""
    return values(net, selection(net.graph, [SOFT]), noise())


@pytest.mark.parametrize("query", ["input", "mean", "static"])
def test_evaluation_opens_the_most_probable_source_of_every_row(query: str) -> None:
    net = make(query=query)
    found = values(net, selection(net.graph)).expand(-1, -1, -1, ROWS)
    assert torch.equal(found.sum(2), torch.ones_like(found.sum(2)))
    assert torch.equal(found.argmax(2), probabilities(net).expand(-1, -1, -1, ROWS).argmax(2))
    assert set(found.unique().tolist()) == {0.0, 1.0}


def test_evaluation_has_no_noise_and_does_not_look_at_the_settings_of_training() -> None:
    net = make()
    usual = outputs(net, selection(net.graph))
    for settings in ({}, SOFT, HARD, {"controller_noise": 50.0}):
        assert torch.equal(outputs(net, selection(net.graph, [settings])), usual)


@pytest.mark.parametrize("query", ["input", "static"])
def test_noise_of_size_one_picks_sources_as_often_as_they_are_probable(query: str) -> None:
    net = make(query=query)
    chosen = selection(net.graph, [HARD | {"controller_noise": 1.0}])
    expected = probabilities(net).detach().expand(-1, -1, -1, ROWS)
    draws, counts = 1000, torch.zeros_like(expected)
    with torch.no_grad():
        for step in range(draws):
            counts += values(net, chosen, noise(step=step))
    # The standard error of a frequency of 1000 draws is below .016; five of them.
    assert (counts / draws - expected).abs().max() < 0.08


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_share_of_hard_passes_is_the_setting(share: float) -> None:
    net = make()
    chosen = selection(net.graph, [{"hard_passes": share}])
    draws = 500
    with torch.no_grad():
        hard = [values(net, chosen, noise(step=step))[0].amax((1, 2)) == 1 for step in range(draws)]
    # One draw per junction and step, two junctions; the standard error is below .016.
    assert torch.stack(hard).double().mean() == pytest.approx(share, abs=0.08)


def test_soft_pass_is_the_softmax_without_noise() -> None:
    net = make()
    gate = gate_of(net)
    assert isinstance(gate, ControllerGate)
    logits = (batch().numeric[0] @ gate.downs["0"][0] @ gate.ups["0"][0]).transpose(1, 2) + gate.biases["0"][
        0, :, :, None
    ]
    for step, settings in enumerate((SOFT, SOFT | {"controller_noise": 9.0})):
        found = values(net, selection(net.graph, [settings]), noise(step=step))
        torch.testing.assert_close(found[0], logits.softmax(1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("drawn", [None, noise()])
def test_gradients_go_straight_through_to_the_softmax(drawn: Noise | None) -> None:
    net = make()
    weights = list(gate_of(net).parameters())
    direction = torch.randn(2, 4, ROWS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hard, soft = values(net, selection(net.graph, [HARD]), drawn), probabilities(net)
    for mine, theirs in zip(
        torch.autograd.grad((hard * direction).sum(), weights),
        torch.autograd.grad((soft * direction).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("usual", "other"), [(HARD, HARD | {"controller_noise": 3.0}), ({"hard_passes": 0.9}, {"hard_passes": 0.1})]
)
def test_every_setting_changes_training_for_its_candidate_alone(
    usual: dict[str, float], other: dict[str, float]
) -> None:
    net = make(num_candidates=2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter[1] = parameter[0]
    chosen = selection(net.graph, [usual, other])
    alone = selection(net.graph, [usual, usual])
    changed = False
    for step in range(10):
        both, same = (outputs(net, s, noise(2, step=step)) for s in (chosen, alone))
        assert torch.equal(both[0], same[0])
        changed = changed or not torch.equal(both[1], same[1])
    assert changed


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_logits_have_the_rank_of_the_controller(rank: int) -> None:
    graph = ranked(gated_graph(GateKind.CONTROLLER, sources=6, query="input"), rank)
    net = pack(graph)
    randomise(net, seed=2)
    p = probabilities(net)[0]
    centred = p.log() - p.log().mean(2, keepdim=True)  # the softmax leaves a constant of every row open
    assert torch.linalg.matrix_rank(centred[0] - centred[0].mean(0), rtol=1e-9) <= rank
    with pytest.raises(SpaceError, match=r"junction .*at least 1, found \[0"):
        ranked(graph, 0)


@pytest.mark.parametrize("size", [1e3, -1e3])
@pytest.mark.parametrize("settings", [HARD, SOFT, HARD | {"controller_noise": 1e3}])
def test_gradients_are_finite_at_extremes(size: float, settings: dict[str, float]) -> None:
    net = make()
    with torch.no_grad():
        for parameter in gate_of(net).parameters():
            parameter.copy_(torch.where(torch.arange(parameter.numel()) % 2 == 0, size, -size).view(parameter.shape))
    found = outputs(net, selection(net.graph, [settings]), noise())
    found.sum().backward()
    assert found.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_sources_that_are_off_are_never_picked() -> None:
    net = make()
    chosen = replace(selection(net.graph, [HARD | {"controller_noise": 5.0}]))
    chosen.edges[..., -3:] = 0
    for step in range(20):
        assert not values(net, chosen, noise(step=step))[0, 1, 1:].any()


def test_alignment_with_identities_draws_what_no_alignment_draws() -> None:
    graph = gated_graph(GateKind.CONTROLLER, query="input")
    plain, aligned = (Supernet(graph, INPUTS, [0], dtype=torch.float64, aligned=a) for a in (False, True))
    chosen = selection(graph, [HARD | {"controller_noise": 3.0}])
    assert torch.equal(outputs(plain, chosen, noise(step=4)), outputs(aligned, chosen, noise(step=4)))


def ranked(graph: RouteGraph, rank: int) -> RouteGraph:
    """The graph with controllers of this rank."""
    return replace(graph, junctions=tuple(replace(junction, rank=rank) for junction in graph.junctions))


def test_without_hard_passes_evaluation_is_not_what_was_trained() -> None:
    """Two tasks of two linear regimes each: hard passes teach one expert a row, soft ones a blend of both."""
    x, targets = two_regimes()
    settings = [{}, {"hard_passes": 0.0}, {"controller_noise": 0.0}, {"controller_noise": 2.0}]
    net = pack(gated_graph(GateKind.CONTROLLER, sources=2, query="input"), len(settings))
    chosen = Selection.from_routes(
        net.graph, [[full_route(net.graph)]] * len(settings), dtype=torch.float64, gate=settings
    )
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    drawn = noise(len(settings))
    for step in range(250):
        drawn.at_step(step)
        optimiser.zero_grad()
        losses(net, x, chosen, targets, drawn).sum().backward()
        optimiser.step()
    with torch.no_grad():
        trained = losses(net, x, chosen, targets, drawn)
        usual, never_hard, *_ = evaluated = losses(net, x, chosen, targets, None)
    assert trained[1] < never_hard / 4
    assert usual < never_hard / 2
    assert len({round(float(loss), 6) for loss in evaluated}) == 4, "a setting that changes nothing"


def two_regimes() -> tuple[RandomFeatures, Tensor]:
    """Rows of random numbers; the sign of the first says which of two linear maps of the others each task follows."""
    x = random_features(INPUTS, rows=128, seed=1)
    maps = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    numbers = x.numeric[0]
    targets = [(numbers[:, 1:] * maps[task][(numbers[:, 0] > 0).long()]).sum(1) for task in range(2)]
    return x, torch.stack(targets, dim=1)


def losses(net: Supernet, x: RandomFeatures, chosen: Selection, targets: Tensor, drawn: Noise | None) -> Tensor:
    """Mean squared errors ``[K]``."""
    return (torch.cat(net(x, chosen, drawn), dim=-1) - targets).square().mean((1, 2))


def test_a_pass_without_noise_has_no_penalty() -> None:
    net = make()
    assert not trunk(net, selection(net.graph)).penalties
