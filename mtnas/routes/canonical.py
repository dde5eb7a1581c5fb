"""The canonical spelling of a route: its reachable part, modulo permutation of identical slots.

Interchangeable slots are put in order by how they are wired (``mtnas.routes.wiring``); where several orders are
equally good the smallest text counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import DEFAULT_RANK, JUNCTION_QUERY, Edge, Junction, Slot
from mtnas.routes.reach import reach
from mtnas.routes.route import Mix, Route
from mtnas.routes.text import canonical_json
from mtnas.routes.wiring import Colours, Wiring

FORMAT = "mtnas-route-1"


def canonical_route(graph: RouteGraph, route: Route) -> Route:
    """The same architecture in its one canonical spelling: a route of the same graph.

    Raises:
        SpaceError: the route leaves out something that a tower reaches.
    """
    reached = reach(graph, route)
    kept = route.only(junctions=reached.junctions, slots=reached.slots)
    classes = interchangeable_slots(graph)
    wiring = Wiring(graph, kept, {name: classes[name] for name in reached.slots})
    spellings = wiring.spellings(lambda colours: _rename(graph, kept, classes, colours))
    return min(spellings, key=lambda spelling: spelling.text)


def route_digest(graph: RouteGraph, route: Route) -> str:
    """sha256 of the format, the graph's digest and the canonical text; equal architectures have equal digests."""
    text = "\n".join((FORMAT, graph.digest, canonical_route(graph, route).text))
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=64)  # depends on the graph alone and was nine tenths of the time of canonical_route
def interchangeable_slots(graph: RouteGraph) -> Mapping[str, str]:
    """For every slot the name of its class; any two slots of one class can swap places in the graph."""
    readers = graph.readers_of()
    used_by: dict[str, list[str]] = {slot.name: [] for slot in graph.slots}
    keys = {junction.name: _junction_key(readers, junction) for junction in graph.junctions}
    for junction in graph.junctions:
        for edge in junction.edges:
            if edge.source in used_by:
                used_by[edge.source].append(f"{keys[junction.name]}{_edge_key(edge)}")
    instances = {slot.instance for slot in graph.slots}
    queried = {
        q.removeprefix(JUNCTION_QUERY) for j in graph.junctions for q in j.queries if q.startswith(JUNCTION_QUERY)
    }
    classes = {}
    for slot in graph.slots:
        fixed = slot.instance is not None or slot.name in instances or slot.reads in queried
        fixed = fixed or slot.frozen or slot.starts_from is not None  # what was trained is like nothing else
        key = [
            slot.name if fixed else "",
            slot.layer,
            [block.text for block in slot.choices],
            slot.owner or "",
            slot.frozen,
            keys[slot.reads],
            sorted(used_by[slot.name]),
        ]
        classes[slot.name] = canonical_json(key)
    return MappingProxyType(classes)


def _junction_key(readers: Mapping[str, tuple[object, ...]], junction: Junction) -> str:
    """A private junction is known by what it permits, a shared or tower junction by its name."""
    audience = readers[junction.name]
    if len(audience) == 1 and isinstance(audience[0], Slot):
        edges = [edge.source + _edge_key(edge) for edge in junction.edges]
        limits = [junction.min_inputs, junction.most_inputs, junction.selectors, junction.frozen]
        # What was there later is left out at its default, so that older digests stay.
        limits += [] if (junction.rank, junction.steps) == (DEFAULT_RANK, 1) else [junction.rank, junction.steps]
        owner = [audience[0].layer, audience[0].owner or "", [block.text for block in audience[0].choices]]
        return canonical_json([edges, [str(g) for g in junction.gates], list(junction.queries), limits, owner])
    return junction.name


def _edge_key(edge: Edge) -> str:
    return canonical_json([[str(state) for state in edge.states], edge.required, edge.transform])


def _rename(graph: RouteGraph, route: Route, classes: Mapping[str, str], colours: Colours) -> Route:
    """Give the slots of every class the class's first names, in the order of their colours."""
    names_of_class: dict[str, list[str]] = {}
    for slot in graph.slots:
        names_of_class.setdefault(classes[slot.name], []).append(slot.name)
    in_order = sorted(colours, key=lambda name: colours[name])
    return rename_slots(graph, route, {name: names_of_class[classes[name]].pop(0) for name in in_order})


def rename_slots(graph: RouteGraph, route: Route, renamed: Mapping[str, str]) -> Route:
    """The route with its slots under other names, each of the same class: another spelling of one architecture.

    ``renamed`` holds every slot of the route, which has no others than those it reaches.
    """
    slots = graph.slot_of()
    junction_name = {slots[old].reads: slots[new].reads for old, new in renamed.items()}
    order = {j.name: {source: i for i, source in enumerate(j.sources)} for j in graph.junctions}
    mixes = {}
    for name, mix in route.mixes:
        new = junction_name.get(name, name)
        inputs = sorted((renamed.get(source, source) for source in mix.inputs), key=order[new].__getitem__)
        forward_only = {renamed.get(source, source) for source in mix.forward_only}
        mixes[new] = Mix(
            inputs=tuple(inputs),
            forward_only=tuple(source for source in inputs if source in forward_only),
            gate=mix.gate,
            query=mix.query,
        )
    return Route.of(mixes, {renamed[name]: block for name, block in route.blocks})
