"""Hand-made architectures as graphs with one route: the baselines every search is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mtnas.errors import SpaceError
from mtnas.routes.blocks import Block, BlockKind
from mtnas.routes.cost import cost
from mtnas.routes.graph import RouteGraph
from mtnas.routes.inputs import InputShape
from mtnas.routes.layered import ENCODER, ENTRY, entry_junction, layered_graph, tower_junction
from mtnas.routes.nodes import Edge, Encoder, Junction, Slot, Tower
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
    def tower_of_blocks(self) -> Block:
        """One block with all the layers."""
        return Block(kind=BlockKind.MLP, widths=(self.width,) * self.layers, norm=self.norm)


def full_route(graph: RouteGraph) -> Route:
    """The route that uses every edge, each junction's first gate and query, each slot's first block."""
    mixes = {
        junction.name: Mix.of(junction, {edge.source: edge.states[0] for edge in junction.edges})
        for junction in graph.junctions
    }
    return Route.of(mixes, {slot.name: slot.choices[0] for slot in graph.slots})


def single_task(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every task has a bottom of its own; nothing but the embeddings is shared."""
    slots, junctions = [], [entry_junction()]
    for tower in towers:
        name = f"own.{tower.task}"
        block = size.tower_of_blocks
        slots.append(Slot(name=name, layer=1, reads=ENTRY, choices=(block,), owner=tower.task))
        junctions.append(Junction(name=tower_junction(tower.task), edges=(Edge(source=name),)))
    return _named("single_task", towers, slots, junctions)


def shared_bottom(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """One bottom for all tasks (Caruana, 1997)."""
    slots = [Slot(name="bottom", layer=1, reads=ENTRY, choices=(size.tower_of_blocks,))]
    junctions = [
        entry_junction(),
        *(Junction(name=tower_junction(tower.task), edges=(Edge(source="bottom"),)) for tower in towers),
    ]
    return _named("shared_bottom", towers, slots, junctions)


def mmoe(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every task mixes all experts by a softmax of the input (MMoE; Ma et al., KDD 2018, eq. 5-7)."""
    names = [f"expert.{index}" for index in range(size.experts)]
    slots = [Slot(name=name, layer=1, reads=ENTRY, choices=(size.tower_of_blocks,)) for name in names]
    edges = tuple(Edge(source=name) for name in names)
    junctions = [entry_junction(), *(Junction(name=tower_junction(t.task), edges=edges) for t in towers)]
    return _named("mmoe", towers, slots, junctions)


def full_sharing(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every sub-network and tower mixes the whole layer below (multi-level MMoE): the space's widest route."""
    block = Block(kind=BlockKind.MLP, widths=(size.width,), norm=size.norm)
    graph = layered_graph(towers, subnets=(size.experts,) * size.layers, choices=(block,))
    return NamedRoute(name="full_sharing", graph=graph, route=full_route(graph))


NAMED_ROUTES: dict[str, Callable[[Sequence[Tower], Size], NamedRoute]] = {
    "single_task": single_task,
    "shared_bottom": shared_bottom,
    "mmoe": mmoe,
    "full_sharing": full_sharing,
}


def matched(name: str, towers: Sequence[Tower], size: Size, inputs: InputShape, *, num_params: int) -> NamedRoute:
    """The named route at the width whose parameters come closest to ``num_params`` (PROTOCOL.md point 2).

    Parameters grow with the width, so the width is found by bisection.

    Raises:
        SpaceError: no such named route.
    """
    if name not in NAMED_ROUTES:
        raise SpaceError(expected=f"one of {sorted(NAMED_ROUTES)}", found=name, where="named route")

    def build(width: int) -> tuple[NamedRoute, int]:
        named = NAMED_ROUTES[name](towers, replace(size, width=width))
        return named, cost(named.graph, named.route, inputs).num_params

    low, high = 1, 2
    while build(high)[1] < num_params and high < 1 << 16:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if build(middle)[1] <= num_params else (low, middle)
    return min((build(low), build(high)), key=lambda built: abs(built[1] - num_params))[0]


def _named(name: str, towers: Sequence[Tower], slots: Sequence[Slot], junctions: Sequence[Junction]) -> NamedRoute:
    graph = RouteGraph(
        encoders=(Encoder(name=ENCODER),),
        slots=tuple(slots),
        junctions=tuple(junctions),
        towers=tuple(replace(tower, reads=tower_junction(tower.task)) for tower in towers),
    )
    return NamedRoute(name=name, graph=graph, route=full_route(graph))
