"""How a route's slots are connected, and the orders in which that alone puts interchangeable slots.

Colour refinement tells slots apart by their neighbours; ties that it cannot break are broken by trying each member
(individualisation-refinement; McKay and Piperno, 2014, https://arxiv.org/abs/1301.1493). Members that some symmetry
of the route takes into one another give the same spellings, so one of them is enough: slots wired alike are known to
be such by looking, the others by reaching a spelling that was seen before. Without that, k equal chains of slots
would take k! tries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import Slot
from mtnas.routes.route import Mix, Route
from mtnas.routes.text import canonical_json

Colours = dict[str, int]
Symmetry = dict[str, str]


class Wiring:
    """The reachable slots of a route, with the class of interchangeable slots that each belongs to."""

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

    def spellings(self, spell: Callable[[Colours], Route]) -> Iterator[Route]:
        """Spellings of discrete colourings; whatever the slots were called before, the smallest is the same."""
        start = {name: f"{self.classes[name]}|{self.blocks[name].text}" for name in self.classes}
        return _Search(self, spell).spellings(self.refine(_rank(start)))

    def refine(self, colours: Colours) -> Colours:
        """Split colours by the colours around, until that splits nothing more."""
        while True:
            refined = _rank({name: self._signature(name, colours) for name in colours})
            if len(set(refined.values())) == len(set(colours.values())):
                return refined
            colours = refined

    def neighbourhood(self, name: str) -> str:
        """Sources and readers by name: equal for slots whose swap changes nothing."""
        mix = self.mixes[self.reads[name]]
        private = self.reads[name] in self.private
        readers = sorted(f"{j}{'~' if name in self.mixes[j].forward_only else ''}" for j in self.readers[name])
        return canonical_json([mix.text if private else self.reads[name], readers])

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


class _Search:
    """The tree of tries, with the symmetries found on the way."""

    def __init__(self, wiring: Wiring, spell: Callable[[Colours], Route]) -> None:
        self._wiring, self._spell = wiring, spell
        self._leaves: dict[str, list[str]] = {}
        self._symmetries: list[Symmetry] = []

    def spellings(self, colours: Colours) -> Iterator[Route]:
        """Spellings below a colouring, of members that no known symmetry makes superfluous."""
        members = _first_tie(colours)
        if not members:
            yield self._leaf(colours)[0]
        tried: list[str] = []
        alike: set[str] = set()
        for name in members:
            neighbourhood = self._wiring.neighbourhood(name)
            if neighbourhood in alike or self._same_orbit(name, tried, colours):
                continue
            alike.add(neighbourhood)
            branch = self._single_out(name, colours)
            if tried and self._descend(branch):
                continue
            tried.append(name)
            yield from self.spellings(branch)

    def _single_out(self, name: str, colours: Colours) -> Colours:
        return self._wiring.refine({other: 2 * colour + (other != name) for other, colour in colours.items()})

    def _descend(self, colours: Colours) -> bool:
        """Whether the first leaf below spells a route that was seen before."""
        while members := _first_tie(colours):
            colours = self._single_out(members[0], colours)
        return self._leaf(colours)[1]

    def _leaf(self, colours: Colours) -> tuple[Route, bool]:
        """The spelling of a discrete colouring, and whether it was seen before, which gives a symmetry."""
        route, order = self._spell(colours), sorted(colours, key=colours.__getitem__)
        earlier = self._leaves.setdefault(route.text, order)
        if earlier is not order:
            self._symmetries.append(dict(zip(earlier, order, strict=True)))
        return route, earlier is not order

    def _same_orbit(self, name: str, tried: Sequence[str], colours: Colours) -> bool:
        """Whether known symmetries that keep the colouring take the slot to one that was tried."""
        keeping = [s for s in self._symmetries if all(colours[a] == colours[b] for a, b in s.items())]
        found, waiting = {name}, [name]
        while waiting:
            at = waiting.pop()
            for symmetry in keeping:
                for a, b in symmetry.items():
                    other = b if a == at else a if b == at else at
                    if other not in found:
                        found.add(other)
                        waiting.append(other)
        return not found.isdisjoint(tried)


def _first_tie(colours: Colours) -> list[str]:
    """Members of the lowest colour that several slots have; none when all differ."""
    tied: dict[int, list[str]] = {}
    for name, colour in colours.items():
        tied.setdefault(colour, []).append(name)
    return next((members for _, members in sorted(tied.items()) if len(members) > 1), [])


def _rank(signatures: Mapping[str, str]) -> Colours:
    order = {signature: rank for rank, signature in enumerate(sorted(set(signatures.values())))}
    return {name: order[signature] for name, signature in signatures.items()}
