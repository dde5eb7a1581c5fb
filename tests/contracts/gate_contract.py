"""What every kind of gate promises, whatever its formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mtnas.routes import Block, BlockKind, GateKind, InputShape, Mix, Route, RouteGraph, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet
from mtnas.training.step.noise import Noise
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise

INPUTS = InputShape(num_numeric=4)
NUM_SOURCES = 3
ROWS = 6
TOWERS = (Tower(task="a", reads="", hidden=()), Tower(task="b", reads="", hidden=()))


def gate_contract(kind: GateKind, query: str) -> None:
    """Check every promise of one kind with one query.

    Raises:
        AssertionError: the first promise that is broken.
    """
    graph = graph_of(kind, query)
    _values_move_with_the_gates_weights(graph)
    _evaluation_is_silent_and_keeps_nothing(graph)
    _only_active_sources_count(graph, kind)
    _one_input_passes(graph, kind)
    for dtype in (torch.float32, torch.float64):
        for size in (1e2, 1e4):
            _stays_finite(graph, size, dtype)
    if kind.takes_query:
        _rows_differ_exactly_if_the_query_does(graph, query)
    _order_of_sources_means_nothing(graph, kind)


def graph_of(kind: GateKind, query: str) -> RouteGraph:
    """Two towers that mix linear sub-networks."""
    choices = (Block(kind=BlockKind.LINEAR, widths=(5,)),)
    graph = layered_graph(TOWERS, subnets=(NUM_SOURCES,), choices=choices)
    junctions = [
        junction
        if junction.name == "in"
        else replace(
            junction,
            gates=(kind,),
            queries=(query,),
            edges=tuple(replace(edge, required=kind.takes_all) for edge in junction.edges),
        )
        for junction in graph.junctions
    ]
    return replace(graph, junctions=tuple(junctions))


def _net(graph: RouteGraph, dtype: torch.dtype = torch.float64) -> Supernet:
    net = Supernet(graph, INPUTS, [0], dtype=dtype)
    randomise(net, seed=0, scale=0.5)
    return net


def _run(net: Supernet, route: Route | None = None, *, seed: int = 0, noise: Noise | None = None) -> Tensor:
    """Both towers' outputs ``[B, 2]``."""
    dtype = next(net.parameters()).dtype
    selection = Selection.from_routes(net.graph, [[route or full_route(net.graph)]], dtype=dtype)
    batch = random_features(INPUTS, rows=ROWS, seed=seed, dtype=dtype)
    return torch.cat([out[0] for out in net(batch, selection, noise)], dim=-1)


def _values_move_with_the_gates_weights(graph: RouteGraph) -> None:
    """Every weight counts, for one of ten values at least: a gate that picks one source moves in jumps."""
    net = _net(graph)
    before = _run(net).detach()
    weights = list(net.gates.parameters())
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        held, moved = weight.detach().clone(), False
        for _ in range(10):
            with torch.no_grad():
                weight.copy_(torch.randn(weight.shape, generator=generator))
            moved = moved or not torch.equal(_run(net), before)
        with torch.no_grad():
            weight.copy_(held)
        assert moved, "a weight that changes nothing"
    if weights:
        _run(net).square().sum().backward()
        assert all(w.grad is not None and w.grad.any() for w in weights), "weights that no gradient reaches"


def _evaluation_is_silent_and_keeps_nothing(graph: RouteGraph) -> None:
    """The same numbers before and after a training pass, which itself depends on nothing but its draws."""
    net = _net(graph)
    before = _run(net)
    noise = Noise(seeds=[0], dropout=[0.0], device=torch.device("cpu"))
    trained = []
    for step in (3, 4, 3):
        noise.at_step(step)
        trained.append(_run(net, noise=noise))
    assert torch.equal(_run(net), before), "evaluation that draws, or remembers"
    assert torch.equal(trained[0], trained[2]), "training that draws elsewhere"


def _only_active_sources_count(graph: RouteGraph, kind: GateKind) -> None:
    if kind.takes_all:
        return
    sources = graph.junctions[-1].sources
    query = graph.junctions[-1].queries[0] if kind.takes_query else "none"
    mix = Mix(inputs=sources[:2], gate=kind, query=query)
    route = full_route(graph).replace(mixes={f"to.{tower.task}": mix for tower in TOWERS})
    net = _net(graph)
    before = _run(net, route)
    (bank,) = net.banks.values()
    with torch.no_grad():
        for weight in bank.parameters():
            weight[:, 2] = 1e3
    assert torch.equal(_run(net, route), before), "a source that is off shows"
    _run(net, route).sum().backward()
    assert all(not weight.grad[:, 2].any() for weight in bank.parameters()), "a source that is off is trained"  # type: ignore[index]


def _one_input_passes(graph: RouteGraph, kind: GateKind) -> None:
    """A lone input has the value 1, whatever the gate's weights are."""
    if kind.takes_all:
        return
    sources = graph.junctions[-1].sources
    route = full_route(graph).replace(mixes={f"to.{tower.task}": Mix(inputs=sources[1:2]) for tower in TOWERS})
    net = _net(graph)
    (bank,), (towers,) = net.banks.values(), net.tower_groups
    x = random_features(INPUTS, rows=ROWS, seed=0).numeric[0]
    hidden = x @ bank.weight[0, 1]
    expected = [hidden @ towers.weights[0][0, t] + towers.biases[0][0, t] for t in range(2)]
    torch.testing.assert_close(_run(net, route), torch.cat(expected, dim=-1), rtol=1e-12, atol=1e-12)


def _stays_finite(graph: RouteGraph, size: float, dtype: torch.dtype) -> None:
    net = _net(graph, dtype)
    with torch.no_grad():
        for weight in net.gates.parameters():
            signs = torch.where(torch.arange(weight.numel()) % 2 == 0, size, -size)
            weight.copy_(signs.view(weight.shape))
    out = _run(net)
    assert out.isfinite().all(), f"outputs at weights of {size} in {dtype}"
    out.square().mean().backward()
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), f"gradient of {name} at weights of {size} in {dtype}"


def _rows_differ_exactly_if_the_query_does(graph: RouteGraph, query: str) -> None:
    """Values seen through sources that are the same in every row: equal rows for ``static``, else different ones."""
    net = _net(graph)
    values: list[Tensor] = []
    for group in net.gates.values():
        for gate in group.kinds.values():
            gate.register_forward_hook(lambda _module, _inputs, gated: values.append(gated.values))
    _run(net)
    for found in values:
        spread = found.detach().expand(-1, -1, -1, ROWS).std(-1).max()
        assert (float(spread) < 1e-15) == (query == "static"), f"values vary by {float(spread)} for query {query}"


def _order_of_sources_means_nothing(graph: RouteGraph, kind: GateKind) -> None:
    """A route that lists its inputs in another order is the same route."""
    mixes = full_route(graph).mix_of()
    turned = {
        name: Mix(inputs=mix.inputs[::-1], gate=mix.gate, query=mix.query)
        for name, mix in mixes.items()
        if mix.gate is kind
    }
    net = _net(graph)
    assert torch.equal(_run(net), _run(net, full_route(graph).replace(mixes=turned)))


def queries_of(kind: GateKind) -> Sequence[str]:
    """Queries to try a kind with."""
    return ("input", "mean", "static") if kind.takes_query else ("input",)
