"""A route that costs little: what is left to offer when random routes all break a limit on cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mtnas.routes import Cost, EdgeState, GateKind, InputShape, Junction, Mix, Route, RouteGraph, cost, reach
from mtnas.routes.canonical import interchangeable_slots

Measure = Callable[[Cost], float]


def cheapest_route(graph: RouteGraph, inputs: InputShape, measure: Measure) -> Route:
    """As few inputs as allowed everywhere, those with the smallest blocks, then one choice after another made cheaper.

    Exact where the slots of a layer are alike. Elsewhere no single other choice makes the route cheaper, but two
    together might.
    """
    blocks = {slot.name: min(slot.choices, key=lambda b: b.num_params(inputs.width or 1)) for slot in graph.slots}
    sizes = {slot.name: blocks[slot.name].num_params(inputs.width or 1) for slot in graph.slots}
    route = Route.of({junction.name: _first(junction, sizes) for junction in graph.junctions}, blocks)
    least, better = measure(cost(graph, route, inputs)), True
    while better:
        better = False
        for other in _neighbours(graph, route):
            found = measure(cost(graph, other, inputs))
            if found < least:
                route, least, better = other, found, True
                break
    return route


def _first(junction: Junction, sizes: Mapping[str, int]) -> Mix:
    edges = sorted(junction.edges, key=lambda edge: (not edge.required, sizes.get(edge.source, 0)))
    least = max(junction.min_inputs, sum(edge.required for edge in edges))
    states = {edge.source: edge.states[0] for edge in edges[:least]}
    return min(_manners(junction, states), key=lambda mix: len(mix.text))


def _neighbours(graph: RouteGraph, route: Route) -> Iterator[Route]:
    """Routes that differ in one reached choice, leaving out those that differ by interchangeable slots only."""
    reached, classes = reach(graph, route), interchangeable_slots(graph)
    mixes, blocks = route.mix_of(), route.block_of()
    for junction in graph.junctions:
        if junction.name in reached.junctions:
            for states in _swaps(junction, mixes[junction.name], dict(classes)):
                others = (mix for mix in _manners(junction, states) if mix != mixes[junction.name])
                yield from (route.replace(mixes={junction.name: mix}) for mix in others)
    for slot in graph.slots:
        if slot.name in reached.slots:
            choices = (block for block in slot.choices if block != blocks[slot.name])
            yield from (route.replace(blocks={slot.name: block}) for block in choices)


def _swaps(junction: Junction, mix: Mix, classes: dict[str, str]) -> Iterator[dict[str, EdgeState]]:
    """The same inputs, and those with one exchanged for the first input of another kind."""
    states = {edge.source: edge.states[0] for edge in junction.edges}
    yield {source: states[source] for source in mix.inputs}
    required = {edge.source for edge in junction.edges if edge.required}
    for out in (source for source in mix.inputs if source not in required):
        kinds = {classes.get(out, out)}
        for into in junction.sources:
            kind = classes.get(into, into)
            if into not in mix.inputs and kind not in kinds:
                kinds.add(kind)
                yield {source: states[source] for source in (*mix.inputs, into) if source != out}


def _manners(junction: Junction, states: dict[str, EdgeState]) -> Iterator[Mix]:
    if len(states) == 1:
        yield Mix.of(junction, states)
        return
    for gate in junction.gates:
        if gate is not GateKind.PASS:
            for query in junction.queries if gate.takes_query else (None,):
                yield Mix.of(junction, states, gate=gate, query=query)
