"""Cross-stitch networks: a network per task, and free linear combinations of them after every layer.

Misra et al., CVPR 2016, https://arxiv.org/abs/1604.03539: x~_A = alpha_AA x_A + alpha_AB x_B. One unit per
layer (the paper's section 4 also has one per channel). Initial values: 0.9 for the own network, 0.1 spread over the
others, as in section 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import GateKind, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble, edges_from


def cross_stitch(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every task's next layer, and its tower, reads a learned combination of all tasks' layers below."""
    tasks = [tower.task for tower in towers]
    slots, junctions = [], [entry_junction()]
    for layer in range(1, size.layers + 1):
        for task in tasks:
            reads = ENTRY if layer == 1 else f"stitch.{layer - 1}.{task}"
            slots.append(Slot(name=f"own.{layer}.{task}", layer=layer, reads=reads, choices=(size.block,), owner=task))
        below = edges_from(*(f"own.{layer}.{task}" for task in tasks))
        for task in tasks:
            name = f"stitch.{layer}.{task}" if layer < size.layers else tower_junction(task)
            junctions.append(Junction(name=name, edges=below, gates=(GateKind.FREE,), queries=()))
    return assemble("cross_stitch", towers, slots, junctions)
