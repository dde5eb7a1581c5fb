"""Cost in closed form equals what a module built by plain loops really has and does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, Edge, GateKind, InputShape, Mix, Route, Tower, cost, reach
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.costs.route_cost import output_widths
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size, full_route
from tests.routes.random_graphs import BLOCKS, INPUTS, random_graph, random_route
from tests.supernets.batches import random_features
from tests.supernets.plain_blocks import plain_block
from tests.supernets.plain_route import PlainRoute

TOWERS = (Tower(task="a", reads="", hidden=(4,)), Tower(task="b", reads="", hidden=(), outputs=3))


@pytest.mark.parametrize("seed", range(80))
def test_cost_of_a_random_route_is_what_is_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    plain = PlainRoute(graph, route, INPUTS)
    plain(random_features(INPUTS, rows=1, seed=seed))
    found = cost(graph, route, INPUTS)
    assert found.num_params == plain.num_params()
    assert found.macs == plain.macs


@pytest.mark.parametrize("name", sorted(NAMED_ROUTES))
@pytest.mark.parametrize("norm", [True, False])
def test_cost_of_a_named_route_is_what_is_counted(name: str, norm: bool) -> None:
    inputs = InputShape(vocabularies=(7, 4), embedding_widths=(3, 2), num_numeric=4)
    named = NAMED_ROUTES[name](TOWERS, Size(layers=2, experts=3, width=5, norm=norm))
    plain = PlainRoute(named.graph, named.route, inputs)
    plain(random_features(inputs, rows=1, seed=0))
    found = cost(named.graph, named.route, inputs)
    assert (found.num_params, found.macs) == (plain.num_params(), plain.macs)


def test_an_example_by_hand() -> None:
    """Shared bottom: 2 inputs -> 3 units -> tower with one linear output, no embeddings."""
    graph = layered_graph((Tower(task="a", reads="", hidden=()),), subnets=(1,), choices=(_mlp(3),))
    found = cost(graph, full_route(graph), InputShape(num_numeric=2))
    assert found.num_params == (2 * 3 + 3) + (3 + 3) + (3 * 1 + 1)
    assert found.macs == 2 * 3 + 3 * 1


def test_softmax_gate_by_hand() -> None:
    graph = layered_graph((Tower(task="a", reads="", hidden=()),), subnets=(2,), choices=(_mlp(3),))
    blocks, tower = 2 * ((2 * 3 + 3) + 6), 3 + 1
    found = cost(graph, full_route(graph), InputShape(num_numeric=2))
    assert found.num_params == blocks + tower + (2 * 2 + 2)
    assert found.macs == 2 * 6 + 3 + 2 * 2 + 2 * 3


def test_tied_slots_are_counted_once_but_run_twice() -> None:
    layered = layered_graph(TOWERS[:1], subnets=(1, 1), choices=BLOCKS[:1])
    tied = replace(layered, slots=tuple(replace(slot, instance="shared") for slot in layered.slots))
    route = full_route(tied)
    apart, together = cost(layered, route, INPUTS), cost(tied, route, INPUTS)
    assert apart.num_params - together.num_params == BLOCKS[0].num_params(6)
    assert apart.macs == together.macs
    assert PlainRoute(tied, route, INPUTS).num_params() == together.num_params


def test_unreached_slots_cost_nothing() -> None:
    wide = layered_graph(TOWERS, subnets=(5, 5), choices=BLOCKS[:1])
    slim = layered_graph(TOWERS, subnets=(1, 1), choices=BLOCKS[:1])
    route = full_route(slim)
    assert cost(wide, route, INPUTS) == cost(slim, route, INPUTS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.text)
@pytest.mark.parametrize("in_width", [2, 6, 11])
def test_cost_of_a_block_is_that_of_its_layers(block: Block, in_width: int) -> None:
    in_width = block.reads_width or in_width
    plain = plain_block(block, in_width)
    assert block.num_params(in_width) == sum(parameter.numel() for parameter in plain.parameters())
    assert block.macs(in_width) == plain.macs
    assert block.out_width(in_width) == plain(torch.zeros(1, in_width)).shape[1]


@pytest.mark.parametrize("seed", range(20))
def test_widths_are_those_of_the_reached_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    reached = reach(graph, route)
    encoders = {encoder.name for encoder in graph.encoders}
    assert set(output_widths(graph, route, INPUTS)) == encoders | reached.slots | reached.junctions


def test_sources_of_different_widths_are_refused() -> None:
    graph = replace(layered_graph(TOWERS[:1], subnets=(1,), choices=BLOCKS[:1]))
    to_tower = graph.junctions[-1]
    both = replace(to_tower, edges=(*to_tower.edges, Edge(source="x")), gates=(GateKind.SUM,))
    graph = replace(graph, junctions=(*graph.junctions[:-1], both))
    with pytest.raises(SpaceError, match=r"junction to\.a: expected sources of one width, found \[6, 9\]"):
        cost(graph, full_route(graph), InputShape(num_numeric=9))


def test_more_inputs_cost_more() -> None:
    graph = layered_graph(TOWERS[:1], subnets=(3,), choices=(_mlp(3),))
    blocks = {slot.name: slot.choices[0] for slot in graph.slots}
    costs = []
    for count in (1, 2, 3):
        inputs = tuple(slot.name for slot in graph.slots)[:count]
        gate = {"gate": GateKind.SOFTMAX, "query": "input"} if count > 1 else {}
        route = Route.of({"in": Mix(inputs=("x",)), "to.a": Mix(inputs=inputs, **gate)}, blocks)
        costs.append(cost(graph, route, INPUTS))
    assert costs[0].num_params < costs[1].num_params < costs[2].num_params
    assert costs[0].macs < costs[1].macs < costs[2].macs


def _mlp(width: int) -> Block:
    return Block(kind=BlockKind.MLP, widths=(width,))
