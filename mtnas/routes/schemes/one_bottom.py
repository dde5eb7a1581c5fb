"""Single-task and shared-bottom: one perceptron per task, or one for all (Caruana, 1997)."""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import Edge, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble


def single_task(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every task has a bottom of its own; nothing but the embeddings is shared."""
    slots, junctions = [], [entry_junction()]
    for tower in towers:
        name = f"own.{tower.task}"
        slots.append(Slot(name=name, layer=1, reads=ENTRY, choices=(size.tower_of_blocks,), owner=tower.task))
        junctions.append(Junction(name=tower_junction(tower.task), edges=(Edge(source=name),)))
    return assemble("single_task", towers, slots, junctions)


def shared_bottom(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """One bottom for all tasks (Caruana, 1997)."""
    slots = [Slot(name="bottom", layer=1, reads=ENTRY, choices=(size.tower_of_blocks,))]
    junctions = [
        entry_junction(),
        *(Junction(name=tower_junction(tower.task), edges=(Edge(source="bottom"),)) for tower in towers),
    ]
    return assemble("shared_bottom", towers, slots, junctions)
