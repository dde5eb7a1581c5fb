"""A partition of the tasks: one bottom for every group (task grouping; Standley et al., ICML 2020,
https://arxiv.org/abs/1905.07553)."""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import Edge, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble


def task_partition(towers: Sequence[Tower], size: Size, groups: Sequence[int]) -> NamedRoute:
    """Tasks of one group share a bottom; nothing but the embeddings is shared across groups.

    Args:
        towers: the tasks' towers.
        size: of every bottom.
        groups: each task's group, by number from 0.
    """
    names = [f"group.{number}" for number in range(max(groups) + 1)]
    slots = [Slot(name=name, layer=1, reads=ENTRY, choices=(size.tower_of_blocks,)) for name in names]
    junctions = [
        entry_junction(),
        *(
            Junction(name=tower_junction(tower.task), edges=(Edge(source=names[group]),))
            for tower, group in zip(towers, groups, strict=True)
        ),
    ]
    return assemble("task_partition", towers, slots, junctions)
