"""Customised gate control: experts of each task beside shared ones (Tang et al., RecSys 2020,
https://doi.org/10.1145/3383313.3412236).

The tower of task t reads sum_j softmax(W_t x)_j E_j(x), where j runs over the experts of t and the shared ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble, edges_from


def cgc(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """A task's gate, a softmax of the input, mixes its own experts and the shared ones."""
    shared = [f"shared.{index}" for index in range(size.shared_experts)]
    block = (size.tower_of_blocks,)
    slots = [Slot(name=name, layer=1, reads=ENTRY, choices=block) for name in shared]
    junctions = [entry_junction()]
    for tower in towers:
        own = [f"own.{tower.task}.{index}" for index in range(size.own_experts)]
        slots += [Slot(name=name, layer=1, reads=ENTRY, choices=block, owner=tower.task) for name in own]
        junctions.append(Junction(name=tower_junction(tower.task), edges=edges_from(*own, *shared)))
    return assemble("cgc", towers, slots, junctions)
