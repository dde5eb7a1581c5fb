"""The claim of MTNAS, against the named graphs themselves: typical schemes are routes of its space.

For each scheme: the route, that the space holds it, and that with the scheme's weights it gives the scheme's outputs
and costs what the scheme costs. (``test_sub_graphs`` shows the same against equations.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch

from mtnas.routes import NAMED_ROUTES, GateKind, InputShape, Mix, Route, Tower, cost, route_digest
from mtnas.routes.schemes.by_name import NamedRoute, Size
from mtnas.supernets import Selection, Supernet
from search_spaces.mtnas_layers import mtnas_space
from tests.supernets.batches import random_features
from tests.supernets.plain_route import PlainRoute
from tests.supernets.weights import load, pairs, randomise

LAYERS, SUBNETS, WIDTH = 3, 4, 5
INPUTS = InputShape(vocabularies=(7, 4), embedding_widths=(3, 2), num_numeric=4)
TOWERS = tuple(Tower(task=task, reads="", hidden=(3,)) for task in ("a", "b", "c"))
SPACE = mtnas_space(TOWERS, layers=LAYERS, subnets=SUBNETS, width=WIDTH)
BLOCK = SPACE.graph.slots[0].choices[0]


def chains(columns: int) -> tuple[dict[str, Mix], dict[str, str]]:
    """Sub-network i of every layer reads number i below; chain i stands for the scheme's i-th block of all layers."""
    mixes = {"in": Mix(inputs=("x",))}
    for layer in range(2, LAYERS + 1):
        mixes |= {f"to.l{layer}.{i}": Mix(inputs=(f"l{layer - 1}.{i}",)) for i in range(columns)}
    return mixes, {f"l{layer}.{i}": f"{i}/{layer - 1}" for layer in range(1, LAYERS + 1) for i in range(columns)}


def top(*columns: int) -> Mix:
    """What a tower reads: the ends of these chains, by a softmax of the input if there are several."""
    inputs = tuple(f"l{LAYERS}.{i}" for i in columns)
    return Mix(inputs=inputs) if len(inputs) == 1 else Mix(inputs=inputs, gate=GateKind.SOFTMAX, query="input")


def single_task() -> Route:
    mixes, _ = chains(3)
    return _route(mixes | {f"to.{tower.task}": top(i) for i, tower in enumerate(TOWERS)})


def shared_bottom() -> Route:
    mixes, _ = chains(1)
    return _route(mixes | {f"to.{tower.task}": top(0) for tower in TOWERS})


def mmoe() -> Route:
    mixes, _ = chains(SUBNETS)
    return _route(mixes | {f"to.{tower.task}": top(*range(SUBNETS)) for tower in TOWERS})


def full_sharing() -> Route:
    mixes = {"in": Mix(inputs=("x",))}
    for layer in range(2, LAYERS + 1):
        below = tuple(f"l{layer - 1}.{i}" for i in range(SUBNETS))
        everything = Mix(inputs=below, gate=GateKind.SOFTMAX, query="input")
        mixes |= {f"to.l{layer}.{i}": everything for i in range(SUBNETS)}
    return _route(mixes | {f"to.{tower.task}": top(*range(SUBNETS)) for tower in TOWERS})


def _route(mixes: Mapping[str, Mix]) -> Route:
    reached = {source for mix in mixes.values() for source in mix.inputs if source != "x"}
    return Route.of(mixes, dict.fromkeys(reached, BLOCK))


SCHEMES: Mapping[str, Callable[[], Route]] = {
    "single_task": single_task,
    "shared_bottom": shared_bottom,
    "mmoe": mmoe,
    "full_sharing": full_sharing,
}


def scheme(name: str) -> NamedRoute:
    return NAMED_ROUTES[name](TOWERS, Size(layers=LAYERS, experts=SUBNETS, width=WIDTH))


@pytest.mark.parametrize("name", SCHEMES)
def test_space_holds_the_scheme_at_the_schemes_cost(name: str) -> None:
    named, route = scheme(name), SCHEMES[name]()
    assert SPACE.check(route) is None
    assert cost(SPACE.graph, route, INPUTS) == cost(named.graph, named.route, INPUTS)


@pytest.mark.parametrize("name", SCHEMES)
def test_route_with_the_schemes_weights_gives_the_schemes_outputs(name: str) -> None:
    named, route = scheme(name), SCHEMES[name]()
    theirs = Supernet(named.graph, INPUTS, [0], dtype=torch.float64)
    randomise(theirs, seed=1, scale=0.5)
    ours = Supernet(SPACE.graph, INPUTS, [0], dtype=torch.float64)
    randomise(ours, seed=2, scale=0.5)
    _copy_weights(theirs, named, ours, route)
    batch = random_features(INPUTS, rows=6, seed=0)
    expected = theirs(batch, Selection.from_routes(named.graph, [[named.route]], dtype=torch.float64))
    found = ours(batch, Selection.from_routes(SPACE.graph, [[route]], dtype=torch.float64))
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_schemes_are_four_different_routes() -> None:
    assert len({route_digest(SPACE.graph, route()) for route in SCHEMES.values()}) == 4


def _copy_weights(theirs: Supernet, named: NamedRoute, ours: Supernet, route: Route) -> None:
    """By way of plain modules: layer d of the scheme's i-th block becomes sub-network i of layer d + 1."""
    source = PlainRoute(named.graph, named.route, INPUTS)
    load(source, theirs)
    target = PlainRoute(SPACE.graph, route, INPUTS)
    with torch.no_grad():
        for mine, other in zip(_parts(target), _parts(source), strict=True):
            mine.copy_(other)
        for pair in pairs(target, ours):
            pair.view(pair.ours).copy_(pair.plain)


def _parts(plain: PlainRoute) -> list[torch.Tensor]:
    """Every weight of a plain scheme in one order: encoder, layers of blocks column by column, gates, towers."""
    blocks = {name: block for (name, _), block in plain.blocks.items()}
    if len({slot.layer for slot in plain.graph.slots if slot.name in blocks}) == 1:
        order = [slot.name for slot in plain.graph.slots]
        layers = [(blocks[name], depth) for depth in range(LAYERS) for name in order]
    else:
        order = [slot.name for slot in plain.graph.slots if slot.name in blocks]
        layers = [(blocks[name], 0) for name in order]
    found = list(plain.encoders.parameters())
    for block, depth in layers:
        found += [*block.linears[depth].parameters(), *block.norms[depth].parameters()]
    for name in sorted(plain.gates):
        found += list(plain.gates[name].parameters())
    return found + list(plain.towers.parameters())
