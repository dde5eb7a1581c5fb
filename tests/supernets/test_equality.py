"""The supernet against the plain reference: outputs and gradients, on random graphs of every kind and named routes.

Tolerance 1e-10 relative to the largest number compared: float64, sums of a few dozen terms in another order.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.routes import NAMED_ROUTES, EdgeState, InputShape, Mix, Route, RouteGraph, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import Size, full_route
from mtnas.supernets import Selection, Supernet
from tests.routes.random_graphs import BLOCKS, INPUTS, random_graph, random_route
from tests.supernets.batches import random_features
from tests.supernets.plain_route import PlainRoute
from tests.supernets.weights import load, randomise

TOWERS = (Tower(task="a", reads="", hidden=(4,)), Tower(task="b", reads="", hidden=(), outputs=3))
TOLERANCE = 1e-10


def assert_equal(ours: Tensor, theirs: Tensor, what: str) -> None:
    scale = max(1.0, float(theirs.detach().abs().max())) if theirs.numel() else 1.0
    worst = float((ours - theirs).detach().abs().max()) if theirs.numel() else 0.0
    assert worst <= TOLERANCE * scale, f"{what}: off by {worst} of {scale}"


def assert_equals_plain(graph: RouteGraph, routes: list[Route], inputs: InputShape, seed: int, rows: int = 5) -> None:
    """A pack of the routes on several data seeds: outputs and all gradients equal those of one plain module each."""
    K = len(routes)
    net = Supernet(graph, inputs, range(K), dtype=torch.float64)
    randomise(net, seed=seed, scale=0.3)
    batch = random_features(inputs, rows=rows, seed=seed, seed_of=tuple((k + 1) % 2 for k in range(K)))
    selection = Selection.from_routes(graph, [[route] for route in routes], dtype=torch.float64)
    outputs = net(batch, selection)
    generator = torch.Generator().manual_seed(seed)
    weigh = [torch.randn(out.shape, generator=generator, dtype=torch.float64) for out in outputs]
    sum((out * w).sum() for out, w in zip(outputs, weigh, strict=True)).backward()  # type: ignore[union-attr]
    for k, route in enumerate(routes):
        plain = PlainRoute(graph, route, inputs)
        pairs = load(plain, net, candidate=k)
        expected = plain(batch.of_candidate(k))
        for task, out, theirs in zip(graph.tasks, outputs, expected, strict=True):
            assert_equal(out[k], theirs, f"outputs of {task}")
        sum((out * w[k]).sum() for out, w in zip(expected, weigh, strict=True)).backward()  # type: ignore[union-attr]
        reached = {id(pair.ours) for pair in pairs}
        for pair in pairs:
            theirs = torch.zeros_like(pair.plain) if pair.plain.grad is None else pair.plain.grad
            ours = torch.zeros_like(pair.ours) if pair.ours.grad is None else pair.ours.grad
            assert_equal(pair.view(ours), theirs, f"gradient of {pair.name}")
        for parameter in net.parameters():
            if id(parameter) not in reached and parameter.grad is not None:
                assert not parameter.grad[k].any(), "gradient in a part that no tower reaches"


@pytest.mark.parametrize("seed", range(80))
def test_random_routes_of_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    assert_equals_plain(graph, [random_route(rng, graph) for _ in range(2)], INPUTS, seed)


@pytest.mark.parametrize("name", sorted(NAMED_ROUTES))
@pytest.mark.parametrize("norm", [True, False])
def test_named_routes(name: str, norm: bool) -> None:
    inputs = InputShape(vocabularies=(7, 4), embedding_widths=(3, 2), num_numeric=4)
    named = NAMED_ROUTES[name](TOWERS, Size(layers=2, experts=3, width=5, norm=norm))
    assert_equals_plain(named.graph, [named.route], inputs, seed=1)


@pytest.mark.parametrize("num_choices", [1, 2, 4])
def test_layered_graphs_with_several_blocks_per_slot(num_choices: int) -> None:
    rng = np.random.default_rng(num_choices)
    graph = layered_graph(TOWERS, subnets=(4, 3), choices=BLOCKS[:num_choices], queries=("input", "mean", "static"))
    assert_equals_plain(graph, [random_route(rng, graph) for _ in range(3)], INPUTS, seed=2)


@pytest.mark.parametrize("query", ["input", "mean", "static"])
def test_forward_only_edge_carries_the_value_and_no_gradient(query: str) -> None:
    """Through the mixture, through a gate that looks at its inputs' mean, and where the edge is the only one."""
    layered = layered_graph(TOWERS[:1], subnets=(2,), choices=BLOCKS[:1], queries=(query,))
    data = layered.to_json()
    both = [str(EdgeState.ON), str(EdgeState.FORWARD_ONLY)]
    data["junctions"][1]["edges"] = [{"source": s, "states": both, "required": False} for s in ("l1.0", "l1.1")]
    graph = RouteGraph.from_json(data)
    net = Supernet(graph, INPUTS, [0], dtype=torch.float64)
    randomise(net, seed=0)
    batch = random_features(INPUTS, rows=6, seed=0)
    flowing = full_route(graph)
    mix = flowing.mix_of()["to.a"]
    stopped = flowing.replace(
        mixes={"to.a": Mix(inputs=mix.inputs, forward_only=("l1.1",), gate=mix.gate, query=mix.query)}
    )
    alone = flowing.replace(mixes={"to.a": Mix(inputs=("l1.1",), forward_only=("l1.1",))})

    def run(route: Route) -> tuple[Tensor, Tensor]:
        """The output, and how large the gradients of both sub-networks' weights are."""
        net.zero_grad()
        out = net(batch, Selection.from_routes(graph, [[route]], dtype=torch.float64))[0]
        out.square().sum().backward()
        (bank,) = net.banks.values()
        return out.detach(), bank.weights[0].grad[0].abs().sum((1, 2))  # type: ignore[union-attr,index]

    out, gradient = run(flowing)
    out_stopped, gradient_stopped = run(stopped)
    torch.testing.assert_close(out, out_stopped, rtol=1e-12, atol=1e-12)  # summed in another order
    assert gradient[0] > 0
    assert gradient[1] > 0
    assert gradient_stopped[0] > 0
    assert gradient_stopped[1] == 0
    _, gradient_alone = run(alone)
    assert not gradient_alone.any()
