"""Smaller graphs for one route: exactly its own nodes and edges, or the shape it shares with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mtnas.routes.blocks.block import Block
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import JUNCTION_QUERY, NO_QUERY, EdgeState, GateKind, Junction
from mtnas.routes.reach import Reach, reach
from mtnas.routes.route import Mix, Route


def shape_graph(graph: RouteGraph, route: Route) -> RouteGraph:
    """The graph without the nodes the route does not reach, every slot filled, all permitted edges kept.

    Routes with equal shape graphs (their *shape signature*) can train in one pack. Give canonical routes: slots are
    kept by name.
    """
    reached, blocks = reach(graph, route), route.block_of()
    encoders = frozenset(encoder.name for encoder in graph.encoders)
    sources = reached.slots | encoders
    junctions = [_shaped(j, reached, sources) for j in graph.junctions if j.name in reached.junctions]
    return _part(graph, reached, junctions, {name: blocks[name] for name in reached.slots}, encoders)


def narrow(graph: RouteGraph, route: Route) -> RouteGraph:
    """The graph that holds this route and nothing else: what a frozen module is built from."""
    reached, blocks, mixes = reach(graph, route), route.block_of(), route.mix_of()
    junctions = [_fixed(j, mixes[j.name]) for j in graph.junctions if j.name in reached.junctions]
    return _part(graph, reached, junctions, {name: blocks[name] for name in reached.slots}, reached.encoders)


def _part(
    graph: RouteGraph,
    reached: Reach,
    junctions: list[Junction],
    blocks: Mapping[str, Block],
    encoders: frozenset[str],
) -> RouteGraph:
    return RouteGraph(
        encoders=tuple(encoder for encoder in graph.encoders if encoder.name in encoders),
        slots=tuple(replace(slot, choices=(blocks[slot.name],)) for slot in graph.slots if slot.name in reached.slots),
        junctions=tuple(junctions),
        towers=graph.towers,
    )


def _shaped(junction: Junction, reached: Reach, sources: frozenset[str]) -> Junction:
    edges = tuple(edge for edge in junction.edges if edge.source in sources)
    queries = tuple(query for query in junction.queries if _junction_of(query) in {None, *reached.junctions})
    gates = tuple(gate for gate in junction.gates if queries or not gate.takes_query)
    if len(edges) == 1 or set(gates) <= {GateKind.PASS}:
        return replace(junction, edges=edges, gates=(GateKind.PASS,), queries=(), min_inputs=1, max_inputs=1)
    return replace(junction, edges=edges, gates=gates, queries=queries, min_inputs=min(junction.min_inputs, len(edges)))


def _junction_of(query: str) -> str | None:
    return query.removeprefix(JUNCTION_QUERY) if query.startswith(JUNCTION_QUERY) else None


def _fixed(junction: Junction, mix: Mix) -> Junction:
    def state(source: str) -> EdgeState:
        return EdgeState.FORWARD_ONLY if source in mix.forward_only else EdgeState.ON

    edges = tuple(
        replace(edge, states=(state(edge.source),), required=True)
        for edge in junction.edges
        if edge.source in mix.inputs
    )
    queries = (mix.query,) if mix.query != NO_QUERY else ()
    return replace(junction, edges=edges, gates=(mix.gate,), queries=queries, min_inputs=len(edges), max_inputs=None)
