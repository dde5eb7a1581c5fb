"""Small spaces that between them have every kind of choice a policy makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mtnas.routes import Block, BlockKind, GateKind, Junction, RouteGraph, Slot, Tower
from mtnas.routes.building.layered import ENCODER, entry_junction, layered_graph, tower_junction
from mtnas.routes.nodes import Edge, EdgeState, Encoder
from mtnas.spaces import Constraints, SearchSpace

MLP = Block(kind=BlockKind.MLP, widths=(4,), norm=False)
WIDE = Block(kind=BlockKind.MLP, widths=(6, 4))
LINEAR = Block(kind=BlockKind.LINEAR, widths=(4,))
QUERIES = ("input", "mean", "static")
ON, STOPPED = (EdgeState.ON,), (EdgeState.FORWARD_ONLY,)
BOTH = (EdgeState.ON, EdgeState.FORWARD_ONLY)


def layers(
    *subnets: int, tasks: int = 2, choices: tuple[Block, ...] = (MLP,), max_in_degree: int | None = None
) -> SearchSpace:
    """The layered space, with all three queries."""
    towers = [Tower(task=f"t{t}", reads="", hidden=()) for t in range(tasks)]
    graph = layered_graph(towers, subnets=subnets, choices=choices, queries=QUERIES)
    return SearchSpace(name="layers", graph=graph, constraints=Constraints(max_in_degree=max_in_degree))


def one_layer(
    num_slots: int, states: Callable[[int, int], tuple[EdgeState, ...]], *, tasks: int = 3, **changes: object
) -> SearchSpace:
    """Towers above one layer of slots; ``states(task, slot)`` of every edge, and what else their junctions have."""
    slots = tuple(Slot(name=f"l1.{s}", layer=1, reads="in", choices=(MLP,)) for s in range(num_slots))
    junctions = [
        Junction(
            name=tower_junction(f"t{t}"),
            edges=tuple(Edge(source=slot.name, states=states(t, s)) for s, slot in enumerate(slots)),
        )
        for t in range(tasks)
    ]
    graph = RouteGraph(
        encoders=(Encoder(name=ENCODER),),
        slots=slots,
        junctions=(entry_junction(), *(replace(junction, **changes) for junction in junctions)),  # type: ignore[arg-type]
        towers=tuple(Tower(task=f"t{t}", reads=tower_junction(f"t{t}"), hidden=()) for t in range(tasks)),
    )
    return SearchSpace(name="one layer", graph=graph)


def own_and_others(task: int, slot: int) -> tuple[EdgeState, ...]:
    """Gradients flow to the task's own slot alone (STEM)."""
    return ON if task == slot else STOPPED


def with_required(space: SearchSpace, *, min_inputs: int, max_inputs: int) -> SearchSpace:
    """The last source of every tower's junction is always on, and the number of inputs is bounded."""
    junctions = []
    for junction in space.graph.junctions:
        if len(junction.edges) > 1:
            edges = (*junction.edges[:-1], replace(junction.edges[-1], required=True))
            junction = replace(junction, edges=edges, min_inputs=min_inputs, max_inputs=max_inputs)
        junctions.append(junction)
    return replace(space, graph=replace(space.graph, junctions=tuple(junctions)))


SPACES: dict[str, SearchSpace] = {
    "layers": layers(3, 2),
    "blocks": layers(2, 2, choices=(MLP, LINEAR, WIDE)),
    "few, bounded": layers(4, max_in_degree=2),
    "few, required": with_required(layers(4), min_inputs=2, max_inputs=3),
    "few, two gates": one_layer(3, lambda t, s: ON, gates=(GateKind.SOFTMAX, GateKind.AVERAGE, GateKind.SUM)),
    "few, states": one_layer(3, lambda t, s: BOTH if s == 1 else ON, queries=QUERIES),
    "few, stem": one_layer(3, own_and_others),
    "few, one parent": one_layer(4, lambda t, s: ON, gates=(GateKind.PASS,), queries=(), max_inputs=1),
    "many": layers(7),
    "many, bounded": layers(8, max_in_degree=2),
    "many, required": with_required(layers(7), min_inputs=3, max_inputs=5),
    "many, two gates": one_layer(7, lambda t, s: ON, gates=(GateKind.SOFTMAX, GateKind.AVERAGE), queries=QUERIES),
    "many, states": one_layer(7, lambda t, s: BOTH if s % 2 else ON, max_inputs=3),
    "many, stem": one_layer(7, own_and_others, max_inputs=3),
    "many, one parent": one_layer(8, lambda t, s: ON, gates=(GateKind.PASS,), queries=(), max_inputs=1),
    "many, all required": with_required(layers(7), min_inputs=7, max_inputs=7),
}
