"""The canonical spelling of a route: its reachable part, modulo permutation of identical slots.

Colour refinement orders interchangeable slots by how they are wired; ties that refinement cannot break are broken
by trying each member and keeping the smallest text (individualisation-refinement; McKay and Piperno, 2014,
https://arxiv.org/abs/1301.1493). Slots of a tie that are wired alike are tried once: swapping them changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import JUNCTION_QUERY, Edge, Junction, Slot
from mtnas.routes.reach import reach
from mtnas.routes.route import Mix, Route
from mtnas.routes.text import canonical_json

FORMAT = "mtnas-route-1"

Colours = dict[str, int]


def canonical_route(graph: RouteGraph, route: Route) -> Route:
    """The same architecture in its one canonical spelling: a route of the same graph.

    Raises:
        SpaceError: the route leaves out something that a tower reaches.
    """
    reached = reach(graph, route)
    kept = route.only(junctions=reached.junctions, slots=reached.slots)
    classes = interchangeable_slots(graph)
    wiring = _Wiring(graph, kept, {name: classes[name] for name in reached.slots})
    spellings = (_rename(graph, kept, classes, colours) for colours in wiring.orderings())
    return min(spellings, key=lambda spelling: spelling.text)


def route_digest(graph: RouteGraph, route: Route) -> str:
    """sha256 of the format, the graph's digest and the canonical text; equal architectures have equal digests."""
    text = "\n".join((FORMAT, graph.digest, canonical_route(graph, route).text))
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=64)  # depends on the graph alone and was nine tenths of the time of canonical_route
def interchangeable_slots(graph: RouteGraph) -> Mapping[str, str]:
    """For every slot the name of its class; any two slots of one class can swap places in the graph."""
    readers = graph.readers_of()
    junctions = graph.junction_of()
    used_by: dict[str, list[str]] = {slot.name: [] for slot in graph.slots}
    for junction in graph.junctions:
        for edge in junction.edges:
            if edge.source in used_by:
                used_by[edge.source].append(f"{_junction_key(graph, readers, junction)}{_edge_key(edge)}")
    queried = {
        q.removeprefix(JUNCTION_QUERY) for j in graph.junctions for q in j.queries if q.startswith(JUNCTION_QUERY)
    }
    classes = {}
    for slot in graph.slots:
        fixed = slot.instance is not None or slot.reads in queried
        key = [
            slot.name if fixed else "",
            slot.layer,
            [block.text for block in slot.choices],
            slot.owner or "",
            slot.frozen,
            _junction_key(graph, readers, junctions[slot.reads]),
            sorted(used_by[slot.name]),
        ]
        classes[slot.name] = canonical_json(key)
    return MappingProxyType(classes)


def _junction_key(graph: RouteGraph, readers: Mapping[str, tuple[object, ...]], junction: Junction) -> str:
    """A private junction is known by what it permits, a shared or tower junction by its name."""
    audience = readers[junction.name]
    if len(audience) == 1 and isinstance(audience[0], Slot):
        edges = [edge.source + _edge_key(edge) for edge in junction.edges]
        limits = [junction.min_inputs, junction.most_inputs]
        owner = [audience[0].layer, audience[0].owner or "", [block.text for block in audience[0].choices]]
        return canonical_json([edges, [str(g) for g in junction.gates], list(junction.queries), limits, owner])
    return junction.name


def _edge_key(edge: Edge) -> str:
    return canonical_json([[str(state) for state in edge.states], edge.required])


class _Wiring:
    """The reachable slots of a route and how they are connected, for colour refinement."""

    def __init__(self, graph: RouteGraph, route: Route, classes: Mapping[str, str]) -> None:
        self.classes = classes
        self.blocks = route.block_of()
        self.mixes = route.mix_of()
        self.reads = {slot.name: slot.reads for slot in graph.slots if slot.name in classes}
        readers = graph.readers_of()
        self.readers: dict[str, list[str]] = {name: [] for name in classes}
        self.private = {
            name: next(node.name for node in nodes if isinstance(node, Slot))
            for name, nodes in readers.items()
            if len(nodes) == 1 and isinstance(nodes[0], Slot)
        }
        for junction, mix in self.mixes.items():
            for source in mix.inputs:
                if source in self.readers:
                    self.readers[source].append(junction)

    def orderings(self) -> Iterator[Colours]:
        """Discrete colourings that between them hold a canonical one."""
        start = {name: f"{self.classes[name]}|{self.blocks[name].text}" for name in self.classes}
        yield from self._search(self._refine(_rank(start)))

    def _search(self, colours: Colours) -> Iterator[Colours]:
        tied: dict[int, list[str]] = {}
        for name, colour in colours.items():
            tied.setdefault(colour, []).append(name)
        ties = sorted((colour, members) for colour, members in tied.items() if len(members) > 1)
        if not ties:
            yield colours
            return
        _, members = ties[0]
        tried: set[str] = set()
        for name in members:
            twin_key = self._neighbourhood(name)
            if twin_key in tried:
                continue
            tried.add(twin_key)
            split = {other: 2 * colour + (other != name) for other, colour in colours.items()}
            yield from self._search(self._refine(split))

    def _neighbourhood(self, name: str) -> str:
        """Sources and readers by name: equal for slots whose swap changes nothing."""
        mix = self.mixes[self.reads[name]]
        private = self.reads[name] in self.private
        return canonical_json([mix.text if private else self.reads[name], sorted(self._reader_texts(name))])

    def _reader_texts(self, name: str) -> list[str]:
        return [f"{j}{'~' if name in self.mixes[j].forward_only else ''}" for j in self.readers[name]]

    def _refine(self, colours: Colours) -> Colours:
        while True:
            refined = _rank({name: self._signature(name, colours) for name in colours})
            if len(set(refined.values())) == len(set(colours.values())):
                return refined
            colours = refined

    def _signature(self, name: str, colours: Colours) -> str:
        junction = self.reads[name]
        read = [self._mix_signature(self.mixes[junction], colours) if junction in self.private else junction]
        used = sorted(
            f"{colours.get(self.private[j], 0) if j in self.private else j}"
            f"{'~' if name in self.mixes[j].forward_only else ''}"
            for j in self.readers[name]
        )
        return f"{colours[name]:09d}|{read}|{used}"

    def _mix_signature(self, mix: Mix, colours: Colours) -> str:
        inputs = sorted(f"{'~' if s in mix.forward_only else ''}{colours.get(s, s)}" for s in mix.inputs)
        return f"{inputs}:{mix.gate}:{mix.query}"


def _rank(signatures: Mapping[str, str]) -> Colours:
    order = {signature: rank for rank, signature in enumerate(sorted(set(signatures.values())))}
    return {name: order[signature] for name, signature in signatures.items()}


def _rename(graph: RouteGraph, route: Route, classes: Mapping[str, str], colours: Colours) -> Route:
    """Give the slots of every class the class's first names, in the order of their colours."""
    slots = graph.slot_of()
    names_of_class: dict[str, list[str]] = {}
    for slot in graph.slots:
        names_of_class.setdefault(classes[slot.name], []).append(slot.name)
    renamed: dict[str, str] = {}
    for name in sorted(colours, key=lambda name: colours[name]):
        renamed[name] = names_of_class[classes[name]].pop(0)
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
