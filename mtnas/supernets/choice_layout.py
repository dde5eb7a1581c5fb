"""Where every choice of a graph stands in flat vectors: the common address book of selections and architecture
parameters."""

from __future__ import annotations

from dataclasses import dataclass

from mtnas.routes import GateKind, RouteGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Positions of a graph's choices, in the order of the graph.

    Attributes:
        edges: position of every (junction, source).
        gates: position of every (junction, gate kind); ``pass`` has none, since one input has one value.
        queries: position of every (junction, query).
        blocks: position of every (slot, block text).
    """

    edges: dict[tuple[str, str], int]
    gates: dict[tuple[str, GateKind], int]
    queries: dict[tuple[str, str], int]
    blocks: dict[tuple[str, str], int]

    @staticmethod
    def of(graph: RouteGraph) -> Layout:
        """The layout of a graph."""
        edges = [(junction.name, source) for junction in graph.junctions for source in junction.sources]
        gates = [
            (junction.name, gate)
            for junction in graph.junctions
            for gate in junction.gates
            if gate is not GateKind.PASS
        ]
        queries = [(junction.name, query) for junction in graph.junctions for query in junction.queries]
        blocks = [(slot.name, block.text) for slot in graph.slots for block in slot.choices]
        return Layout(
            edges={key: index for index, key in enumerate(edges)},
            gates={key: index for index, key in enumerate(gates)},
            queries={key: index for index, key in enumerate(queries)},
            blocks={key: index for index, key in enumerate(blocks)},
        )
