"""Parameters and multiply-accumulates of a route in closed form; no module is built."""

from __future__ import annotations

from dataclasses import dataclass

from mtnas.errors import SpaceError
from mtnas.routes.graph import RouteGraph
from mtnas.routes.inputs import InputShape
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, MEAN_QUERY, GateKind, Tower
from mtnas.routes.reach import reach
from mtnas.routes.route import Mix, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the reachable part of a route takes.

    Attributes:
        num_params: trainable numbers, embedding tables included.
        macs: multiply-accumulates per example in the worst case; table look-ups and additions count nothing.
    """

    num_params: int
    macs: int


def cost(graph: RouteGraph, route: Route, inputs: InputShape) -> Cost:
    """Cost of the route's reachable part for inputs of this shape.

    Raises:
        SpaceError: the sources of one junction differ in width.
    """
    reached = reach(graph, route)
    widths = output_widths(graph, route, inputs)
    slots, blocks = graph.slot_of(), route.block_of()
    num_params = inputs.num_params * len(reached.encoders)
    macs = 0
    counted: set[tuple[str, str]] = set()
    for name in reached.slots:
        block, in_width = blocks[name], widths[slots[name].reads]
        macs += block.macs(in_width)
        weights = (slots[name].weights_of, block.text)
        if weights not in counted:
            counted.add(weights)
            num_params += block.num_params(in_width)
    for name, mix in route.mixes:
        if name in reached.junctions:
            params, products = _gate_cost(mix, widths, name, inputs.width)
            num_params += params
            macs += products
    for tower in graph.towers:
        params, products = _tower_cost(tower, widths[tower.reads])
        num_params += params
        macs += products
    return Cost(num_params=num_params, macs=macs)


def output_widths(graph: RouteGraph, route: Route, inputs: InputShape) -> dict[str, int]:
    """Output width of every encoder, and of every reachable slot and junction."""
    reached = reach(graph, route)
    mixes, blocks = route.mix_of(), route.block_of()
    slots = graph.slot_of()
    widths = {encoder.name: inputs.width for encoder in graph.encoders}
    junction_widths: dict[str, int] = {}

    def junction_width(name: str) -> int:
        if name not in junction_widths:
            found = {slot_width(source) for source in mixes[name].inputs}
            if len(found) != 1:
                raise SpaceError(expected="sources of one width", found=str(sorted(found)), where=f"junction {name}")
            junction_widths[name] = found.pop()
        return junction_widths[name]

    def slot_width(name: str) -> int:
        if name not in widths:
            widths[name] = blocks[name].out_width(junction_width(slots[name].reads))
        return widths[name]

    for name in reached.junctions:
        junction_width(name)
    return widths | junction_widths


def _gate_cost(mix: Mix, widths: dict[str, int], name: str, input_width: int) -> tuple[int, int]:
    fan_in = len(mix.inputs)
    if mix.gate is GateKind.PASS:
        return 0, 0
    mixing = fan_in * widths[name]
    if mix.gate is not GateKind.SOFTMAX:
        return 0, mixing
    if mix.query == INPUT_QUERY:
        query_width = input_width
    elif mix.query == MEAN_QUERY:
        query_width = widths[name]
    elif mix.query.startswith(JUNCTION_QUERY):
        query_width = widths[mix.query.removeprefix(JUNCTION_QUERY)]
    else:
        return fan_in, mixing
    return (query_width + 1) * fan_in, query_width * fan_in + mixing


def _tower_cost(tower: Tower, in_width: int) -> tuple[int, int]:
    maps = list(zip((in_width, *tower.hidden), (*tower.hidden, tower.outputs), strict=True))
    return sum(a * b + b for a, b in maps), sum(a * b for a, b in maps)
