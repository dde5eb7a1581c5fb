"""Selections: routes as numbers, and relaxed samples between them that carry gradients to every choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import GateKind, RouteGraph, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Layout, Selection, Supernet
from tests.routes.random_graphs import BLOCKS, INPUTS, random_graph, random_route
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise

CHOICES = ("edges", "gates", "queries", "blocks")
TOWERS = (Tower(task="a", reads=""), Tower(task="b", reads="", hidden=()))
RICH = layered_graph(
    TOWERS,
    subnets=(3, 3),
    choices=BLOCKS[:4],
    gates=(GateKind.SOFTMAX, GateKind.AVERAGE, GateKind.FREE),
    queries=("input", "mean", "static"),
)


def with_gradients(selection: Selection) -> Selection:
    """The same numbers as leaves that ask for gradients."""
    return replace(selection, **{name: getattr(selection, name).clone().requires_grad_() for name in CHOICES})


def uniform(graph: RouteGraph, seed: int) -> Selection:
    """Every choice somewhere between 0 and 1."""
    layout = Layout.of(graph)
    generator = torch.Generator().manual_seed(seed)
    sizes = {name: len(getattr(layout, name)) for name in CHOICES}
    drawn = {name: torch.rand(1, 1, n, generator=generator, dtype=torch.float64) for name, n in sizes.items()}
    return Selection(**drawn)


def constant(graph: RouteGraph, value: float) -> Selection:
    """Every choice at one value."""
    selection = uniform(graph, 0)
    return replace(selection, **{name: torch.full_like(getattr(selection, name), value) for name in CHOICES})


def run(graph: RouteGraph, selection: Selection, seed: int = 0) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Outputs, and the gradients of all choices and weights."""
    net = Supernet(graph, INPUTS, [0], dtype=torch.float64)
    randomise(net, seed=seed, scale=0.3)
    outputs = net(random_features(INPUTS, rows=4, seed=seed), selection)
    sum(out.square().sum() for out in outputs).backward()  # type: ignore[union-attr]
    gradients = {name: getattr(selection, name).grad for name in CHOICES}
    gradients |= {name: parameter.grad for name, parameter in net.named_parameters()}
    return outputs, {name: gradient for name, gradient in gradients.items() if gradient is not None}


@pytest.mark.parametrize("seed", range(25))
def test_relaxed_choices_at_zero_and_one_are_the_route(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    hard = Selection.from_routes(graph, [[random_route(rng, graph)]], dtype=torch.float64)
    expected, _ = run(graph, hard, seed)
    found, gradients = run(graph, with_gradients(hard), seed)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
    assert all(gradient.isfinite().all() for gradient in gradients.values())


@pytest.mark.parametrize("seed", range(15))
def test_choices_between_zero_and_one_carry_finite_gradients(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    outputs, gradients = run(graph, with_gradients(uniform(graph, seed)), seed)
    assert all(out.isfinite().all() for out in outputs)
    assert all(gradient.isfinite().all() for gradient in gradients.values())


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-12])
@pytest.mark.parametrize("seed", range(5))
def test_nothing_chosen_and_everything_chosen_stay_finite(seed: int, value: float) -> None:
    graph = random_graph(np.random.default_rng(seed))
    outputs, gradients = run(graph, with_gradients(constant(graph, value)), seed)
    assert all(out.isfinite().all() for out in outputs)
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_every_kind_of_choice_gets_a_gradient() -> None:
    mostly_on = replace(uniform(RICH, 0), edges=0.5 + uniform(RICH, 0).edges / 2)  # a sum below 1 is its own average
    _, gradients = run(RICH, with_gradients(mostly_on))
    layout = Layout.of(RICH)
    mixing = [at for (junction, _), at in layout.edges.items() if junction != "in"]
    assert (gradients["edges"][0, 0, mixing] != 0).all()
    assert (gradients["blocks"] != 0).all()
    assert (gradients["gates"] != 0).all()
    assert (gradients["queries"] != 0).all()


@pytest.mark.parametrize("name", CHOICES)
def test_gradients_of_choices_are_the_slopes_of_the_outputs(name: str) -> None:
    """Central differences along a random direction; 1e-5 of step leaves errors of about 1e-9."""
    start = uniform(RICH, 3)
    _, gradients = run(RICH, with_gradients(start))
    direction = torch.randn(getattr(start, name).shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-5

    def loss(sign: int) -> float:
        moved = replace(start, **{name: getattr(start, name) + sign * step * direction})
        outputs, _ = run(RICH, moved)
        return sum(float(out.detach().square().sum()) for out in outputs)

    slope = (loss(1) - loss(-1)) / (2 * step)
    assert slope == pytest.approx(float((gradients[name] * direction).sum()), rel=1e-6)


def test_route_of_another_graph_is_refused() -> None:
    other = layered_graph(TOWERS, subnets=(4, 3), choices=BLOCKS[:4])
    with pytest.raises(SpaceError, match=r"route .*: expected choices of the graph, found .*l1\.3"):
        Selection.from_route(RICH, full_route(other))


def test_rows_of_different_lengths_are_refused() -> None:
    route = full_route(RICH)
    with pytest.raises(SpaceError, match=r"selection: expected equally many route groups.*found \[1, 2\]"):
        Selection.from_routes(RICH, [[route], [route, route]])


def test_keeping_candidates_keeps_everything_of_theirs() -> None:
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    routes = [[random_route(rng, graph)] for _ in range(4)]
    gate = [{"temperature": 0.1 * (k + 1)} for k in range(4)]
    index = [2, 0]
    kept = Selection.from_routes(graph, routes, gate=gate).keep(torch.tensor(index))
    expected = Selection.from_routes(graph, [routes[k] for k in index], gate=[gate[k] for k in index])
    for name in CHOICES:
        assert torch.equal(getattr(kept, name), getattr(expected, name))
    assert torch.equal(kept.settings["temperature"], expected.settings["temperature"])
    if kept.forward_only is not None and expected.forward_only is not None:
        assert torch.equal(kept.forward_only, expected.forward_only)


def test_addresses_are_all_different_and_without_gaps() -> None:
    for seed in range(10):
        layout = Layout.of(random_graph(np.random.default_rng(seed)))
        for name in CHOICES:
            assert sorted(getattr(layout, name).values()) == list(range(len(getattr(layout, name))))
