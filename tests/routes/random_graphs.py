"""Random legal graphs and routes with everything the description allows: the inputs of most properties here."""

from __future__ import annotations

from itertools import pairwise
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
    vocabularies=(5, 3, 4), embedding_widths=(1, 2, 1), num_numeric=1, bag_vocabularies=(4,), bag_widths=(1,)
)
BLOCKS = (
    Block(kind=BlockKind.MLP, widths=(WIDTH,)),
    Block(kind=BlockKind.MLP, widths=(WIDTH,), norm=False),
    Block(kind=BlockKind.MLP, widths=(3, WIDTH)),
    Block(kind=BlockKind.IDENTITY),
)
STATES = ((EdgeState.ON,), (EdgeState.FORWARD_ONLY,), (EdgeState.ON, EdgeState.FORWARD_ONLY))


def random_graph(rng: np.random.Generator, *, max_layers: int = 3, max_slots: int = 3) -> RouteGraph:
    """Layers with skip edges, shared and private junctions, every gate and query, several blocks per slot."""
    slots: list[Slot] = []
    junctions: list[Junction] = []
    sources = ["x"]
    for layer in range(1, int(rng.integers(1, max_layers + 1)) + 1):
        names = [f"l{layer}.{index}" for index in range(int(rng.integers(1, max_slots + 1)))]
        shared = rng.random() < 0.3
        for name in names:
            reads = f"in.{layer}" if shared else f"to.{name}"
            if reads not in {junction.name for junction in junctions}:
                junctions.append(random_junction(rng, reads, sources, junctions))
            slots.append(Slot(name=name, layer=layer, reads=reads, choices=_some(rng, BLOCKS)))
        sources = [*sources, *names]
    towers = []
    for task in ("a", "b", "c")[: int(rng.integers(1, 4))]:
        if not towers or rng.random() < 0.8:
            junctions.append(random_junction(rng, f"to.{task}", sources, junctions))
        hidden = ((), (5,), (4, 3))[int(rng.integers(3))]
        towers.append(Tower(task=task, reads=junctions[-1].name, hidden=hidden, outputs=int(rng.integers(1, 4))))
    return RouteGraph(encoders=(Encoder(),), slots=tuple(slots), junctions=tuple(junctions), towers=tuple(towers))


def random_junction(rng: np.random.Generator, name: str, sources: list[str], earlier: list[Junction]) -> Junction:
    """A junction over some of the sources, newest first more likely."""
    chosen = [source for source in sources if rng.random() < 0.6] or [sources[-1]]
    edges = tuple(
        Edge(source=source, states=STATES[int(rng.integers(3))], required=bool(rng.random() < 0.15))
        for source in rng.permutation(chosen).tolist()
    )
    required = sum(edge.required for edge in edges)
    low = int(rng.integers(1, len(edges) + 1)) if rng.random() < 0.2 else 1
    high = None if rng.random() < 0.6 else int(rng.integers(max(low, required), len(edges) + 1))
    queries = [INPUT_QUERY, MEAN_QUERY, STATIC_QUERY]
    if earlier:
        queries.append(f"junction:{earlier[int(rng.integers(len(earlier)))].name}")
    gates = _some(rng, (GateKind.SOFTMAX, GateKind.AVERAGE, GateKind.SUM))
    if rng.random() < 0.2:
        gates = (GateKind.PASS, *gates)
    return Junction(
        name=name, edges=edges, gates=gates, queries=_some(rng, tuple(queries)), min_inputs=low, max_inputs=high
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


def parallel_chains(tasks: tuple[str, ...], *, layers: int, width: int) -> RouteGraph:
    """Slot i of every layer may read slot i of the layer below and nothing else: no two slots differ but by name."""
    rows = [[f"l{layer}.{index}" for index in range(width)] for layer in range(1, layers + 1)]
    block = BLOCKS[0]
    slots = [Slot(name=name, layer=1, reads="in", choices=(block,)) for name in rows[0]]
    junctions = [Junction(name="in", edges=(Edge(source="x"),))]
    for layer, (below, row) in enumerate(pairwise(rows), start=2):
        for source, name in zip(below, row, strict=True):
            slots.append(Slot(name=name, layer=layer, reads=f"to.{name}", choices=(block,)))
            junctions.append(Junction(name=f"to.{name}", edges=(Edge(source=source),)))
    top = tuple(Edge(source=name) for name in rows[-1])
    junctions.extend(Junction(name=f"to.{task}", edges=top) for task in tasks)
    towers = tuple(Tower(task=task, reads=f"to.{task}") for task in tasks)
    return RouteGraph(encoders=(Encoder(),), slots=tuple(slots), junctions=tuple(junctions), towers=towers)


def _some(rng: np.random.Generator, items: tuple[T, ...]) -> tuple[T, ...]:
    """A non-empty subset in random order."""
    count = int(rng.integers(1, len(items) + 1))
    return tuple(items[int(index)] for index in rng.permutation(len(items))[:count])
