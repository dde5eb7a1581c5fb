"""Parameters and multiply-accumulates of a route in closed form; no module is built."""

from __future__ import annotations

from dataclasses import dataclass

from mtnas.errors import SpaceError
from mtnas.routes.graph import RouteGraph
from mtnas.routes.inputs import InputShape
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, MEAN_QUERY, GateKind, Junction, Tower, code_length
from mtnas.routes.reach import reach
from mtnas.routes.route import Mix, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the reachable part of a route takes.

    Attributes:
        num_params: trainable numbers, embedding tables and maps of numbers included.
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
    macs = inputs.macs * len(reached.encoders)
    counted: set[tuple[str, str, int]] = set()
    for name in reached.slots:
        block, in_width = blocks[name], widths[slots[name].reads]
        macs += block.macs(in_width)
        weights = (slots[name].weights_of, block.text, in_width)
        if weights not in counted:
            counted.add(weights)
            num_params += block.num_params(in_width)
    junctions = graph.junction_of()
    for name, mix in route.mixes:
        if name in reached.junctions:
            params, products = _junction_cost(junctions[name], mix, widths, inputs.width)
            num_params += params
            macs += products
    for tower in graph.towers:
        params, products = tower_cost(tower, widths[tower.reads])
        num_params += params
        macs += products
    return Cost(num_params=num_params, macs=macs)


def aligned_cost(found: Cost, *, num_tasks: int, input_width: int) -> Cost:
    """A route's cost under alignment: it runs once per task, on the product of the inputs with the task's matrix."""
    products = input_width**2
    return Cost(num_params=found.num_params + num_tasks * products, macs=num_tasks * (found.macs + products))


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


def _junction_cost(junction: Junction, mix: Mix, widths: dict[str, int], input_width: int) -> tuple[int, int]:
    """Transformations of the active edges, the gate's values, and the sum."""
    fan_in, width = len(mix.inputs), widths[junction.name]
    active = {edge.source for edge in junction.edges if edge.transform} & set(mix.inputs)
    transforms = len(active) * width * width
    steps, query_width = junction.steps, _query_width(mix, widths, junction.name, input_width)
    params, macs = gate_cost(junction, mix.gate, fan_in=fan_in, query_width=query_width // steps, width=width // steps)
    mixing = 0 if mix.gate is GateKind.PASS else fan_in * width
    return transforms + params, transforms + macs * steps + mixing


def gate_cost(junction: Junction, gate: GateKind, *, fan_in: int, query_width: int, width: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates of a gate over ``fan_in`` sources under one query."""
    match gate:
        case GateKind.PASS | GateKind.SUM | GateKind.AVERAGE:
            return 0, 0
        case GateKind.FREE | GateKind.HARD_CONCRETE:
            return fan_in, 0
        case GateKind.SOFTMAX | GateKind.BINARY:
            return (query_width + 1) * fan_in, query_width * fan_in
        case GateKind.CONTROLLER:
            products = (query_width + fan_in) * junction.rank if query_width else 0
            return products + fan_in, products
        case GateKind.DSELECT_K:
            numbers = junction.selectors * (1 + code_length(fan_in))
            return (query_width + 1) * numbers, query_width * numbers
        case GateKind.ATTENTION:
            return 2 * width * width, (2 * width * width + width) * fan_in


def _query_width(mix: Mix, widths: dict[str, int], junction: str, input_width: int) -> int:
    """Width of the gate's query; 0 where the gate looks at nothing."""
    if mix.query == INPUT_QUERY:
        return input_width
    if mix.query == MEAN_QUERY:
        return widths[junction]
    if mix.query.startswith(JUNCTION_QUERY):
        return widths[mix.query.removeprefix(JUNCTION_QUERY)]
    return 0


def tower_cost(tower: Tower, in_width: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates of a tower."""
    maps = list(zip((in_width, *tower.hidden), (*tower.hidden, tower.outputs), strict=True))
    return sum(a * b + b for a, b in maps), sum(a * b for a, b in maps)
