"""Task-conditional streams: every task has a forward pass of its own through components that all tasks share.

A stream is made of tied slots (``Slot.instance``): component c of layer l stands once per task, with one set of
weights. Which of them a task's junctions read is what a route decides (METHODS.md section 0, streams = T).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtnas.routes.blocks.block import Block
from mtnas.routes.building.layered import ENCODER, ENTRY, entry_junction, tower_junction
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import Edge, Encoder, GateKind, Junction, Slot, Tower

Components = tuple[tuple[Block, ...], ...]
STEM = "stem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How streams mix: gates, queries and limits of every junction.

    Attributes:
        gates: gate kinds a junction may use.
        queries: their queries.
        max_inputs: most components that a junction reads.
        own_junctions: whether every slot chooses its inputs for itself; else a task's slots of a layer read the same.
    """

    gates: tuple[GateKind, ...] = (GateKind.AVERAGE,)
    queries: tuple[str, ...] = ()
    max_inputs: int | None = None
    own_junctions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One layer of components.

    Attributes:
        components: per component the blocks it may be.
        instances: per component the name of its weights; equal names in several levels are one component.
        after: blocks that a stream's mixture of the components passes before it is read, None for none.
    """

    components: Components
    instances: tuple[str, ...]
    after: Block | None = None


def levels_of(components: Sequence[Components], *, pool: bool = False) -> tuple[Level, ...]:
    """Levels with weights of their own, or a ``pool`` whose components have the same weights in every level."""
    prefix = ["pool" if pool else f"l{number}" for number in range(1, len(components) + 1)]
    return tuple(
        Level(components=of_level, instances=tuple(f"{name}.{index}" for index in range(len(of_level))))
        for name, of_level in zip(prefix, components, strict=True)
    )


def stream_graph(
    towers: Sequence[Tower], levels: Sequence[Level], manner: Manner, *, stem: Block | None = None
) -> RouteGraph:
    """A stream per task through all levels.

    Args:
        towers: task, hidden widths and outputs; what they read is set here.
        levels: from the bottom to the top.
        manner: how the components of a level are mixed for the next.
        stem: a block that all streams share below the levels, None for none.
    """
    slots: list[Slot] = []
    junctions = [entry_junction()]
    if stem is not None:
        slots.append(Slot(name=STEM, layer=1, reads=ENTRY, choices=(stem,)))
    sources: dict[str, tuple[str, ...]] = {tower.task: (ENCODER if stem is None else STEM,) for tower in towers}
    for number, level in enumerate(levels, start=1):
        layer = slots[-1].layer + 1 if slots else 1
        for tower in towers:
            task = tower.task
            mixed = f"mix.{number}.{task}"
            if not manner.own_junctions or len(sources[task]) == 1:
                junctions.append(_mix(mixed, sources[task], manner))
            names = tuple(f"s{number}.{index}.{task}" for index in range(len(level.components)))
            for name, instance, choices in zip(names, level.instances, level.components, strict=True):
                reads = mixed
                if manner.own_junctions and len(sources[task]) > 1:
                    reads = f"to.{name}"
                    junctions.append(_mix(reads, sources[task], manner))
                slots.append(Slot(name=name, layer=layer, reads=reads, choices=choices, instance=instance))
            sources[task] = names
        if level.after is not None:
            for tower in towers:
                reads, name = f"out.{number}.{tower.task}", f"n{number}.{tower.task}"
                junctions.append(_mix(reads, sources[tower.task], manner))
                after = (level.after,)
                slots.append(Slot(name=name, layer=layer + 1, reads=reads, choices=after, instance=f"n{number}"))
                sources[tower.task] = (name,)
    junctions.extend(_mix(tower_junction(tower.task), sources[tower.task], manner) for tower in towers)
    return RouteGraph(
        encoders=(Encoder(name=ENCODER),),
        slots=tuple(slots),
        junctions=tuple(junction for junction in junctions if _is_read(junction, slots, towers)),
        towers=tuple(replace(tower, reads=tower_junction(tower.task)) for tower in towers),
    )


def _mix(name: str, sources: Sequence[str], manner: Manner) -> Junction:
    edges = tuple(Edge(source=source) for source in sources)
    if len(edges) == 1:
        return Junction(name=name, edges=edges, gates=(GateKind.PASS,), queries=())
    return Junction(name=name, edges=edges, gates=manner.gates, queries=manner.queries, max_inputs=manner.max_inputs)


def _is_read(junction: Junction, slots: Sequence[Slot], towers: Sequence[Tower]) -> bool:
    towers_read = {tower_junction(tower.task) for tower in towers}
    return junction.name in towers_read or any(slot.reads == junction.name for slot in slots)
