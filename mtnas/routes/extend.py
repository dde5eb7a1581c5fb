"""Adding a task to a trained system: everything that is there stays as it is, the new task brings blocks of its own.

Source: muNet and mu2Net (Gesmundo and Dean, 2022, https://arxiv.org/abs/2205.10937 and
https://arxiv.org/abs/2205.12755): components that other tasks own are used frozen; METHODS.md section 7.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mtnas.errors import SpaceError
from mtnas.routes.blocks import Block, BlockKind
from mtnas.routes.graph import RouteGraph
from mtnas.routes.layered import tower_junction
from mtnas.routes.narrow import narrow
from mtnas.routes.nodes import INPUT_QUERY, Edge, Encoder, GateKind, Junction, Slot, Tower
from mtnas.routes.route import Route
from mtnas.routes.widths import node_widths


def frozen_route(graph: RouteGraph, route: Route) -> RouteGraph:
    """The graph of one route alone, with every node held as it is."""
    narrowed = narrow(graph, route)
    return RouteGraph(
        encoders=tuple(replace(encoder, frozen=True) for encoder in narrowed.encoders),
        slots=tuple(replace(slot, frozen=True) for slot in narrowed.slots),
        junctions=tuple(replace(junction, frozen=True) for junction in narrowed.junctions),
        towers=tuple(replace(tower, frozen=True) for tower in narrowed.towers),
    )


def with_task(graph: RouteGraph, route: Route, tower: Tower, *, norm: bool = True) -> RouteGraph:
    """A graph in which a new task may read the frozen route's sub-networks beside one of its own per layer.

    The new task has embeddings of its own, and in every layer a perceptron as wide as most sub-networks there. Each of
    them, and the tower, may read its own one below and the old ones of the same width, mixed by a softmax of the
    first encoder's vector.

    Args:
        graph: the trained system's.
        route: its route.
        tower: the new task's; what it reads is set here.
        norm: whether the new sub-networks normalise their units.

    Raises:
        SpaceError: the task is there already, or the old route has no sub-networks of a known width.
    """
    if tower.task in graph.tasks:
        raise SpaceError(expected="a task that is not there yet", found=tower.task, where="new task")
    old = frozen_route(graph, route)
    widths = node_widths(old, None)
    encoder = Encoder(name=f"new.{tower.task}")
    entry = Junction(name=f"in.{tower.task}", edges=(Edge(source=encoder.name),), gates=(GateKind.PASS,), queries=())
    slots, junctions, below = list[Slot](), [entry], dict[str, int]()
    for layer in range(1, old.num_layers + 1):
        found = {slot.name: widths[slot.name] for slot in old.slots if slot.layer == layer}
        known = {name: width for name, width in found.items() if width is not None}
        if not known:
            continue
        width = Counter(known.values()).most_common(1)[0][0]
        reads = entry.name if not below else f"to.own.{tower.task}.{layer}"
        if below:
            junctions.append(_choice(reads, below))
        name = f"own.{tower.task}.{layer}"
        block = Block(kind=BlockKind.MLP, widths=(width,), norm=norm)
        slots.append(Slot(name=name, layer=layer, reads=reads, choices=(block,), owner=tower.task))
        below = {name: width} | {old_name: width for old_name, its in known.items() if its == width}
    if not below:
        raise SpaceError(expected="sub-networks of a known width", found="none", where="old route")
    junctions.append(_choice(tower_junction(tower.task), below))
    return RouteGraph(
        encoders=(*old.encoders, encoder),
        slots=(*old.slots, *slots),
        junctions=(*old.junctions, *junctions),
        towers=(*old.towers, replace(tower, reads=tower_junction(tower.task))),
    )


def _choice(name: str, below: dict[str, int]) -> Junction:
    edges = tuple(Edge(source=source) for source in below)
    return Junction(name=name, edges=edges, gates=(GateKind.SOFTMAX,), queries=(INPUT_QUERY,))
