"""Every choice of a junction and every route of a small graph, listed the plainest way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from mtnas.routes import EdgeState, GateKind, Junction, Mix, Route, RouteGraph


def every_mix(junction: Junction) -> Iterator[Mix]:
    """For each edge off or one of its states; kept when the junction's limits allow it."""
    for states in product(*((None, *edge.states) for edge in junction.edges)):
        pairs = list(zip(junction.edges, states, strict=True))
        inputs = tuple(edge.source for edge, state in pairs if state is not None)
        stopped = tuple(edge.source for edge, state in pairs if state is EdgeState.FORWARD_ONLY)
        missing = any(edge.required and state is None for edge, state in pairs)
        if missing or not max(junction.min_inputs, 1) <= len(inputs) <= junction.most_inputs:
            continue
        if len(inputs) == 1:
            yield Mix(inputs=inputs, forward_only=stopped)
            continue
        for gate in junction.gates:
            if gate is not GateKind.PASS:
                for query in junction.queries if gate.takes_query else ("none",):
                    yield Mix(inputs=inputs, forward_only=stopped, gate=gate, query=query)


def every_route(graph: RouteGraph) -> Iterator[Route]:
    """Every combination of mixes and blocks; many may be one architecture."""
    junctions = [junction.name for junction in graph.junctions]
    slots = [slot.name for slot in graph.slots]
    for mixes in product(*(tuple(every_mix(junction)) for junction in graph.junctions)):
        for blocks in product(*(slot.choices for slot in graph.slots)):
            yield Route.of(dict(zip(junctions, mixes, strict=True)), dict(zip(slots, blocks, strict=True)))
