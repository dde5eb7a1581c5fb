"""What a scheme gives: a graph with one route, at a size; and the parts that schemes are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtnas.routes.blocks.block import Block, BlockKind
from mtnas.routes.building.layered import ENCODER, tower_junction
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import Edge, Encoder, GateKind, Junction, Slot, Tower
from mtnas.routes.route import Mix, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRoute:
    """A published scheme: a graph and the one route through it."""

    name: str
    graph: RouteGraph
    route: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large to build a named route: layers of blocks, blocks side by side, units per block."""

    layers: int = 2
    experts: int = 4
    width: int = 64
    norm: bool = True

    @property
    def block(self) -> Block:
        """One block with one layer."""
        return Block(kind=BlockKind.MLP, widths=(self.width,), norm=self.norm)

    @property
    def tower_of_blocks(self) -> Block:
        """One block with all the layers."""
        return Block(kind=BlockKind.MLP, widths=(self.width,) * self.layers, norm=self.norm)

    @property
    def shared_experts(self) -> int:
        """Experts for all tasks, in schemes that have experts of both kinds."""
        return max(1, self.experts // 2)

    @property
    def own_experts(self) -> int:
        """Experts of each task, in schemes that have experts of both kinds."""
        return max(1, self.experts // 4)


def full_route(graph: RouteGraph) -> Route:
    """The route that uses every edge, each junction's first gate and query, each slot's first block."""
    mixes = {
        junction.name: Mix.of(junction, {edge.source: edge.states[0] for edge in junction.edges})
        for junction in graph.junctions
    }
    return Route.of(mixes, {slot.name: slot.choices[0] for slot in graph.slots})


def assemble(
    name: str,
    towers: Sequence[Tower],
    slots: Sequence[Slot],
    junctions: Sequence[Junction],
    encoders: Sequence[Encoder] = (Encoder(name=ENCODER),),
) -> NamedRoute:
    """The graph of these nodes and the route that uses all of it; every tower reads ``tower_junction(task)``."""
    graph = RouteGraph(
        encoders=tuple(encoders),
        slots=tuple(slots),
        junctions=tuple(junctions),
        towers=tuple(replace(tower, reads=tower_junction(tower.task)) for tower in towers),
    )
    return NamedRoute(name=name, graph=graph, route=full_route(graph))


def passing(name: str, source: str) -> Junction:
    """A junction that hands one source on."""
    return Junction(name=name, edges=(Edge(source=source),), gates=(GateKind.PASS,), queries=())


def edges_from(*sources: str) -> tuple[Edge, ...]:
    """Plain edges from these sources."""
    return tuple(Edge(source=source) for source in sources)
