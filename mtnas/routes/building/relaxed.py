"""A space's graph under another gate: what a search trains whose gates choose the connections themselves."""

from __future__ import annotations

from dataclasses import replace

from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import STATIC_QUERY, GateKind, Junction


def with_gate(graph: RouteGraph, gate: GateKind, *, query: str = STATIC_QUERY, selectors: int = 2) -> RouteGraph:
    """The graph with this gate, over all permitted edges at once, wherever several sources meet.

    Nodes keep their names, so that the connections which the gate keeps open name a route of the first graph.

    Args:
        graph: any graph.
        gate: such as ``dselect_k`` or ``hard_concrete``.
        query: of gates that take one.
        selectors: of ``dselect_k`` gates.
    """
    return replace(graph, junctions=tuple(_regated(j, gate, query, selectors) for j in graph.junctions))


def _regated(junction: Junction, gate: GateKind, query: str, selectors: int) -> Junction:
    if len(junction.edges) == 1:
        return junction
    return replace(
        junction,
        edges=tuple(replace(edge, required=True) for edge in junction.edges),
        gates=(gate,),
        queries=(query,) if gate.takes_query else (),
        min_inputs=len(junction.edges),
        max_inputs=None,
        selectors=min(selectors, len(junction.edges)),
    )
