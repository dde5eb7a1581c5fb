"""Building layered graphs: equal slots in layers, fully connected, every slot and tower behind its own junction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes.blocks import Block
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
) -> RouteGraph:
    """Layers of ``subnets[l]`` equal slots; every slot and tower may read the whole layer below.

    ``towers`` give task, hidden widths and outputs; what they read is set here.
    """
    slots: list[Slot] = []
    junctions = [entry_junction()]
    below: tuple[str, ...] = ()
    for layer, count in enumerate(subnets, start=1):
        names = tuple(slot_name(layer, index) for index in range(count))
        for name in names:
            reads = ENTRY if layer == 1 else f"to.{name}"
            slots.append(Slot(name=name, layer=layer, reads=reads, choices=choices))
            if layer > 1:
                junctions.append(_mix_of(reads, below, gates, queries, max_inputs))
        below = names
    junctions.extend(_mix_of(tower_junction(tower.task), below, gates, queries, max_inputs) for tower in towers)
    return RouteGraph(
        encoders=(Encoder(name=ENCODER),),
        slots=tuple(slots),
        junctions=tuple(junctions),
        towers=tuple(replace(tower, reads=tower_junction(tower.task)) for tower in towers),
    )


def _mix_of(
    name: str,
    sources: tuple[str, ...],
    gates: tuple[GateKind, ...],
    queries: tuple[str, ...],
    max_inputs: int | None,
) -> Junction:
    edges = tuple(Edge(source=source) for source in sources)
    return Junction(name=name, edges=edges, gates=gates, queries=queries, max_inputs=max_inputs)
