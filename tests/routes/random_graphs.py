"""Random legal graphs and routes with everything the description allows: the inputs of most properties here."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from mtnas.routes import (
    Block,
    BlockKind,
    Edge,
    EdgeState,
    Encoder,
    GateKind,
    InputShape,
    Junction,
    Mix,
    NumberMaps,
    Route,
    RouteGraph,
    Slot,
    Tower,
)
from mtnas.routes.nodes import INPUT_QUERY, MEAN_QUERY, STATIC_QUERY

T = TypeVar("T")

WIDTH = 6
# As wide as the blocks, so that the encoder may be mixed with slots and identities fit everywhere.
INPUTS = InputShape(
    vocabularies=(5, 2, 4),
    embedding_widths=(1, 1, 1),
    one_hot=(1,),
    num_numeric=3,
    numbers=NumberMaps(columns=(1,), width=1, segments=(3,), places=(2,)),
    bag_vocabularies=(4,),
    bag_widths=(1,),
)
BLOCKS = (
    Block(kind=BlockKind.MLP, widths=(WIDTH,)),
    Block(kind=BlockKind.MLP, widths=(WIDTH,), norm=False),
    Block(kind=BlockKind.MLP, widths=(3, WIDTH)),
    Block(kind=BlockKind.IDENTITY),
    Block(kind=BlockKind.LINEAR, widths=(WIDTH,)),
    Block(kind=BlockKind.PART, widths=(2, 3, WIDTH)),
    Block(kind=BlockKind.CROSS, widths=(2, 3)),
    Block(kind=BlockKind.MASK, widths=(4, WIDTH)),
    Block(kind=BlockKind.MASK, widths=(4, WIDTH), norm=False),
    Block(kind=BlockKind.FACTORISATION_MACHINE, widths=(WIDTH,)),
    Block(kind=BlockKind.GRU, widths=(2, 3, 2)),
    Block(kind=BlockKind.GRU_LAST, widths=(3, 2, WIDTH)),
)
MIXING_GATES = (
    GateKind.SOFTMAX,
    GateKind.AVERAGE,
    GateKind.SUM,
    GateKind.FREE,
    GateKind.HARD_CONCRETE,
    GateKind.ATTENTION,
    GateKind.CONTROLLER,
    GateKind.BINARY,
)
STATES = ((EdgeState.ON,), (EdgeState.FORWARD_ONLY,), (EdgeState.ON, EdgeState.FORWARD_ONLY))


def random_graph(rng: np.random.Generator, *, max_layers: int = 3, max_slots: int = 3) -> RouteGraph:
    """Layers with skip edges, shared and private junctions, tied slots, every gate, query and block, product towers."""
    encoders = (Encoder(), Encoder(name="y")) if rng.random() < 0.2 else (Encoder(),)
    slots: list[Slot] = []
    junctions: list[Junction] = []
    sources = [encoder.name for encoder in encoders]
    for layer in range(1, int(rng.integers(1, max_layers + 1)) + 1):
        names = [f"l{layer}.{index}" for index in range(int(rng.integers(1, max_slots + 1)))]
        shared = rng.random() < 0.3
        for name in names:
            reads = f"in.{layer}" if shared else f"to.{name}"
            if reads not in {junction.name for junction in junctions}:
                junctions.append(random_junction(rng, reads, sources, junctions))
            tied = ["pool", *(slot.name for slot in slots)][int(rng.integers(len(slots) + 1))]
            instance = tied if rng.random() < 0.25 else None
            slots.append(Slot(name=name, layer=layer, reads=reads, choices=_some(rng, BLOCKS, 3), instance=instance))
        sources = [*sources, *names]
    towers: list[Tower] = []
    for task in ("a", "b", "c")[: int(rng.integers(1, 4))]:
        if not towers or rng.random() < 0.8:
            junctions.append(random_junction(rng, f"to.{task}", sources, junctions))
        hidden = ((), (5,), (4, 3))[int(rng.integers(3))]
        outputs = int(rng.integers(1, 4))
        single = [tower.task for tower in towers if tower.outputs == 1]
        product_of = single[-1] if single and outputs == 1 and rng.random() < 0.5 else None
        reads = junctions[-1].name
        towers.append(Tower(task=task, reads=reads, hidden=hidden, outputs=outputs, product_of=product_of))
    return RouteGraph(encoders=encoders, slots=tuple(slots), junctions=tuple(junctions), towers=tuple(towers))


def random_junction(rng: np.random.Generator, name: str, sources: list[str], earlier: list[Junction]) -> Junction:
    """A junction over some of the sources; one in eight chooses among all of them by DSelect-k."""
    chosen = [source for source in sources if rng.random() < 0.6] or [sources[-1]]
    selects = rng.random() < 0.125
    edges = tuple(
        Edge(
            source=source,
            states=STATES[int(rng.integers(3))],
            required=selects or bool(rng.random() < 0.15),
            transform=bool(rng.random() < 0.15),
        )
        for source in rng.permutation(chosen).tolist()
    )
    queries = [INPUT_QUERY, MEAN_QUERY, STATIC_QUERY]
    if earlier:
        queries.append(f"junction:{earlier[int(rng.integers(len(earlier)))].name}")
    if selects:
        query = queries[int(rng.integers(len(queries)))]
        selectors = int(rng.integers(1, len(edges) + 1))
        return Junction(name=name, edges=edges, gates=(GateKind.DSELECT_K,), queries=(query,), selectors=selectors)
    required = sum(edge.required for edge in edges)
    low = int(rng.integers(1, len(edges) + 1)) if rng.random() < 0.2 else 1
    high = None if rng.random() < 0.6 else int(rng.integers(max(low, required), len(edges) + 1))
    gates = _some(rng, MIXING_GATES, 3)
    if rng.random() < 0.2:
        gates = (GateKind.PASS, *gates)
    return Junction(
        name=name,
        edges=edges,
        gates=gates,
        queries=_some(rng, tuple(queries)),
        min_inputs=low,
        max_inputs=high,
        rank=int(rng.integers(1, 6)),
        steps=1 if any(edge.transform for edge in edges) else (1, 1, 2, 3)[int(rng.integers(4))],
    )


def random_route(rng: np.random.Generator, graph: RouteGraph) -> Route:
    """A route of the graph by plain choices, written apart from ``SearchSpace.sample``."""
    blocks = {slot.name: slot.choices[int(rng.integers(len(slot.choices)))] for slot in graph.slots}
    return Route.of({junction.name: random_mix(rng, junction) for junction in graph.junctions}, blocks)


def random_mix(rng: np.random.Generator, junction: Junction) -> Mix:
    """A legal choice at a junction."""
    required = [edge.source for edge in junction.edges if edge.required]
    others = [edge.source for edge in junction.edges if not edge.required]
    low = max(junction.min_inputs - len(required), 0 if required else 1)
    high = junction.most_inputs - len(required)
    count = int(rng.integers(low, high + 1))
    chosen = {*required, *rng.permutation(others)[:count].tolist()}
    edges = [edge for edge in junction.edges if edge.source in chosen]
    stopped = [edge.source for edge in edges if edge.states[int(rng.integers(len(edge.states)))] != EdgeState.ON]
    inputs = tuple(edge.source for edge in edges)
    if len(inputs) == 1:
        return Mix(inputs=inputs, forward_only=tuple(stopped))
    gates = [gate for gate in junction.gates if gate is not GateKind.PASS]
    gate = gates[int(rng.integers(len(gates)))]
    query = junction.queries[int(rng.integers(len(junction.queries)))] if gate.takes_query else "none"
    return Mix(inputs=inputs, forward_only=tuple(stopped), gate=gate, query=query)


def _some(rng: np.random.Generator, items: tuple[T, ...], most: int | None = None) -> tuple[T, ...]:
    """A non-empty subset in random order, of at most so many."""
    count = int(rng.integers(1, (most or len(items)) + 1))
    return tuple(items[int(index)] for index in rng.permutation(len(items))[:count])
