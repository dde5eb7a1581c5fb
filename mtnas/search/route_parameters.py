"""A route as named categorical parameters, the view that general samplers have of a space.

One parameter per optional edge (``off`` or a state), per gate and query of a junction that has several, and per block
of a slot that has several. A canonical route leaves out what no tower reaches: there every edge is ``off`` and the rest
is ``none``, so that "this sub-network is not used" can be learned. Reading values back repairs what no route may be:
missing choices of reached nodes are drawn at random, surplus inputs are dropped at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mtnas.routes import Block, Edge, EdgeState, GateKind, Junction, Mix, Route
from mtnas.search.spelling import aligned
from mtnas.spaces import SearchSpace

OFF = "off"
NONE = "none"


def parameters(space: SearchSpace) -> dict[str, tuple[str, ...]]:
    """Names of the parameters and the values each may have; those with one value are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for junction in space.graph.junctions:
        for edge in junction.edges:
            states = tuple(str(state) for state in edge.states)
            found[_edge(junction, edge.source)] = states if _always(junction, edge) else (OFF, *states)
        found[_gate(junction)] = (NONE, *(str(gate) for gate in _gates(junction)))
        found[_query(junction)] = (NONE, *junction.queries)
    for slot in space.graph.slots:
        found[_block(slot.name)] = (NONE, *(block.text for block in slot.choices))
    return {name: values for name, values in found.items() if len(set(values) - {NONE}) > 1}


def values_of(space: SearchSpace, route: Route) -> dict[str, str]:
    """The values of all parameters, those with one value included, for a route that holds only what it reaches."""
    mixes, blocks = route.mix_of(), route.block_of()
    found: dict[str, str] = {}
    for junction in space.graph.junctions:
        mix = mixes.get(junction.name)
        for edge in junction.edges:
            found[_edge(junction, edge.source)] = _state(mix, edge, junction)
        found[_gate(junction)] = str(mix.gate) if mix and mix.gate is not GateKind.PASS else NONE
        found[_query(junction)] = mix.query if mix and mix.gate.takes_query else NONE
    for slot in space.graph.slots:
        found[_block(slot.name)] = blocks[slot.name].text if slot.name in blocks else NONE
    return found


def table(space: SearchSpace, routes: Sequence[Route], *, like: Route) -> list[dict[str, str]]:
    """The values of many routes, one row each, all spelled like one of them so that a column means the same thing."""
    names = parameters(space)
    found = (values_of(space, aligned(space.graph, route, like)) for route in routes)
    return [{name: row[name] for name in names} for row in found]


def route_of(space: SearchSpace, values: Mapping[str, str], rng: np.random.Generator) -> Route:
    """A complete route with these parameter values, repaired; constraints on its cost are not looked at."""
    mixes = {junction.name: _mix(space, junction, values, rng) for junction in space.graph.junctions}
    blocks = {}
    for slot in space.graph.slots:
        text = values.get(_block(slot.name), NONE)
        drawn = slot.choices[int(rng.integers(len(slot.choices)))]
        blocks[slot.name] = drawn if text == NONE else Block.parse(text)
    return Route.of(mixes, blocks)


def _mix(space: SearchSpace, junction: Junction, values: Mapping[str, str], rng: np.random.Generator) -> Mix:
    drawn = space.sample_mix(junction, rng)
    states = {}
    for edge in junction.edges:
        state = values.get(_edge(junction, edge.source), str(edge.states[0]) if _always(junction, edge) else OFF)
        if state != OFF:
            states[edge.source] = EdgeState(state)
    optional = [edge.source for edge in junction.edges if edge.source in states and not edge.required]
    surplus = len(states) - space.most_inputs(junction)
    for index in rng.permutation(len(optional))[: max(surplus, 0)]:
        del states[optional[index]]
    if len(states) < junction.min_inputs:
        return drawn
    gate, query = values.get(_gate(junction), NONE), values.get(_query(junction), NONE)
    gates = _gates(junction)
    return Mix.of(
        junction,
        states,
        gate=GateKind(gate) if gate != NONE else (gates[int(rng.integers(len(gates)))] if gates else None),
        query=query if query != NONE else _any_query(junction, rng),
    )


def _any_query(junction: Junction, rng: np.random.Generator) -> str | None:
    return junction.queries[int(rng.integers(len(junction.queries)))] if junction.queries else None


def _state(mix: Mix | None, edge: Edge, junction: Junction) -> str:
    if mix is None or edge.source not in mix.inputs:
        return str(edge.states[0]) if _always(junction, edge) else OFF
    return str(EdgeState.FORWARD_ONLY if edge.source in mix.forward_only else EdgeState.ON)


def _always(junction: Junction, edge: Edge) -> bool:
    """Whether every route that reaches the junction has the edge."""
    return edge.required or junction.min_inputs == len(junction.edges)


def _gates(junction: Junction) -> list[GateKind]:
    return [gate for gate in junction.gates if gate is not GateKind.PASS]


def _edge(junction: Junction, source: str) -> str:
    return f"{junction.name}<-{source}"


def _gate(junction: Junction) -> str:
    return f"{junction.name}:gate"


def _query(junction: Junction) -> str:
    return f"{junction.name}:query"


def _block(slot: str) -> str:
    return f"{slot}=block"
