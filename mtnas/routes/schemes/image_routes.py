"""Named routes over images: chains of convolutional levels, one per task, one for all, or several as experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtnas.routes.blocks.block import BlockKind
from mtnas.routes.building.image_levels import COMPONENTS, image_levels, stem_of
from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.building.streams import STEM, Manner, stream_graph
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import Edge, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, assemble


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSize:
    """How large to build a named route over images.

    Attributes:
        image: channels, rows and columns read.
        strides: of every level.
        width: channels of every level.
        experts: chains side by side, in schemes that have several.
        components: kinds of each level, in schemes whose levels have several.
        norm: whether convolutions normalise.
    """

    image: tuple[int, int, int]
    strides: tuple[int, ...]
    width: int
    experts: int = 4
    components: tuple[BlockKind, ...] = COMPONENTS
    norm: bool = True

    @property
    def plain(self) -> ImageSize:
        """The same with 3x3 convolutions alone: an ordinary convolutional network."""
        return replace(self, components=(BlockKind.CONV_3X3,))


def image_size(graph: RouteGraph) -> ImageSize | None:
    """How large a space over images builds, None for other spaces: its stem, and the strides of its levels."""
    stem = graph.slot_of().get(STEM)
    if stem is None or stem.choices[0].kind is not BlockKind.CONV_1X1:
        return None
    widths, strides = stem.choices[0].widths, dict[int, int]()
    for slot in graph.slots:
        for block in slot.choices:
            if slot.name != STEM and block.kind.convolves:
                strides[slot.layer] = block.widths[4]
    norm = all(block.norm for slot in graph.slots for block in slot.choices)
    return ImageSize(
        image=(widths[0], widths[1], widths[2]),
        strides=tuple(strides[layer] for layer in sorted(strides)),
        width=widths[3],
        norm=norm,
    )


def single_task(towers: Sequence[Tower], size: ImageSize) -> NamedRoute:
    """Every task has a chain of its own, with all components."""
    chains = {tower.task: _chain(tower.task, size, owner=tower.task) for tower in towers}
    reads = {tower.task: (chains[tower.task].last,) for tower in towers}
    return _named("single_task", towers, list(chains.values()), reads)


def full_sharing(towers: Sequence[Tower], size: ImageSize) -> NamedRoute:
    """One chain with all components for all tasks: the widest route of Gumbel-Matrix's space."""
    chain = _chain("shared", size)
    return _named("full_sharing", towers, [chain], {tower.task: (chain.last,) for tower in towers})


def shared_bottom(towers: Sequence[Tower], size: ImageSize) -> NamedRoute:
    """One ordinary convolutional network for all tasks (Caruana, 1997)."""
    chain = _chain("bottom", size.plain)
    return _named("shared_bottom", towers, [chain], {tower.task: (chain.last,) for tower in towers})


def mmoe(towers: Sequence[Tower], size: ImageSize) -> NamedRoute:
    """Every task mixes ordinary convolutional networks by a softmax of the pixels (MMoE; Ma et al., KDD 2018)."""
    chains = [_chain(f"expert.{index}", size.plain) for index in range(size.experts)]
    last = tuple(chain.last for chain in chains)
    return _named("mmoe", towers, chains, {tower.task: last for tower in towers})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    slots: tuple[Slot, ...]
    junctions: tuple[Junction, ...]
    last: str


def _chain(label: str, size: ImageSize, *, owner: str | None = None) -> _Chain:
    """Stem and levels with weights of their own, all components of a level averaged."""
    stem, own_stem = stem_of(size.image, size.width), f"{STEM}.{label}"
    levels = image_levels(stem, strides=size.strides, components=size.components, norm=size.norm)
    graph = stream_graph([Tower(task=label, reads="")], levels, Manner(), stem=stem)
    slots = [
        replace(slot, name=own_stem if slot.name == STEM else slot.name, instance=None, owner=owner)
        for slot in graph.slots
    ]
    junctions = []
    for junction in graph.junctions:
        edges = [replace(edge, source=own_stem if edge.source == STEM else edge.source) for edge in junction.edges]
        if junction.name == tower_junction(label):
            (last,) = (edge.source for edge in edges)
        elif junction.name != ENTRY:
            junctions.append(replace(junction, edges=tuple(edges)))
    return _Chain(slots=tuple(slots), junctions=tuple(junctions), last=last)


def _named(
    name: str, towers: Sequence[Tower], chains: Sequence[_Chain], reads: Mapping[str, tuple[str, ...]]
) -> NamedRoute:
    slots = sorted((slot for chain in chains for slot in chain.slots), key=lambda slot: slot.layer)
    junctions = [entry_junction(), *(junction for chain in chains for junction in chain.junctions)]
    for tower in towers:
        edges = tuple(Edge(source=source) for source in reads[tower.task])
        junctions.append(Junction(name=tower_junction(tower.task), edges=edges))
    return assemble(name, towers, slots, junctions)
