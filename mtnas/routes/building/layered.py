"""Building layered graphs: equal slots in layers, fully connected, every slot and tower behind its own junction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes.blocks.block import Block
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import INPUT_QUERY, Edge, Encoder, GateKind, Junction, Slot, Tower

ENCODER = "x"
ENTRY = "in"


def slot_name(layer: int, index: int) -> str:
    """Name of a slot of a layered graph."""
    return f"l{layer}.{index}"


def tower_junction(task: str) -> str:
    """Name of the junction that a task's tower reads."""
    return f"to.{task}"


def entry_junction() -> Junction:
    """The junction that hands the encoder's vector to the first layer."""
    return Junction(name=ENTRY, edges=(Edge(source=ENCODER),), gates=(GateKind.PASS,), queries=())


def layered_graph(
    towers: Sequence[Tower],
    *,
    subnets: Sequence[int],
    choices: tuple[Block, ...],
    gates: tuple[GateKind, ...] = (GateKind.SOFTMAX,),
    queries: tuple[str, ...] = (INPUT_QUERY,),
    max_inputs: int | None = None,
    transform: bool = False,
    more_choices: tuple[Block, ...] = (),
) -> RouteGraph:
    """Layers of ``subnets[l]`` equal slots; every slot and tower may read the whole layer below.

    Args:
        towers: task, hidden widths and outputs; what they read is set here.
        subnets: slots of every layer.
        choices: blocks that may fill a slot.
        gates: gate kinds of every junction.
        queries: their queries.
        max_inputs: most active edges of a junction.
        transform: whether every edge between layers has a matrix of its own.
        more_choices: blocks for the slots above the first layer, such as those that keep the width of their input.
    """

    def mix_of(name: str) -> Junction:
        edges = tuple(Edge(source=source, transform=transform) for source in below)
        most = None if max_inputs is None else min(max_inputs, len(edges))
        if len(edges) == 1:
            return Junction(name=name, edges=edges, gates=(GateKind.PASS,), queries=())
        return Junction(name=name, edges=edges, gates=gates, queries=queries, max_inputs=most)

    upper = (*choices, *more_choices)
    slots: list[Slot] = []
    junctions = [entry_junction()]
    below: tuple[str, ...] = ()
    for layer, count in enumerate(subnets, start=1):
        names = tuple(slot_name(layer, index) for index in range(count))
        for name in names:
            reads = ENTRY if layer == 1 else f"to.{name}"
            slots.append(Slot(name=name, layer=layer, reads=reads, choices=choices if layer == 1 else upper))
            if layer > 1:
                junctions.append(mix_of(reads))
        below = names
    junctions.extend(mix_of(tower_junction(tower.task)) for tower in towers)
    return RouteGraph(
        encoders=(Encoder(name=ENCODER),),
        slots=tuple(slots),
        junctions=tuple(junctions),
        towers=tuple(replace(tower, reads=tower_junction(tower.task)) for tower in towers),
    )
