"""Adaptive information transfer along a chain of tasks, such as click -> conversion (AITM; Xi et al., KDD 2021,
https://arxiv.org/abs/2105.08489).

A task's vector is attention over what the task before it hands on (p) and its own bottom (q): a softmax of
<h1(u), h2(u)> / sqrt(width) weighs h3(u). As h3 is linear, it follows the sum (``value``). The tasks' order is the
towers'. The paper's calibrator, an extra loss for outputs that break the order, is not structure and not here.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.blocks.block import Block, BlockKind
from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import GateKind, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble, edges_from, passing


def aitm(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Bottoms with all the layers; what a task hands on passes one layer (the paper's g)."""
    tasks = [tower.task for tower in towers]
    value = (Block(kind=BlockKind.LINEAR, widths=(size.width,)),)
    slots = [
        Slot(name=f"own.{task}", layer=1, reads=ENTRY, choices=(size.tower_of_blocks,), owner=task) for task in tasks
    ]
    junctions, last = [entry_junction()], f"own.{tasks[0]}"
    junctions.append(passing(tower_junction(tasks[0]), last))
    for place, task in enumerate(tasks[1:], start=1):
        hand, attend = f"hand.{task}", f"attend.{task}"
        junctions.append(passing(f"before.{task}", last))
        slots.append(Slot(name=hand, layer=2 * place, reads=f"before.{task}", choices=(size.block,), owner=task))
        edges = edges_from(hand, f"own.{task}")
        junctions.append(Junction(name=attend, edges=edges, gates=(GateKind.ATTENTION,), queries=()))
        last = f"value.{task}"
        slots.append(Slot(name=last, layer=2 * place + 1, reads=attend, choices=value, owner=task))
        junctions.append(passing(tower_junction(task), last))
    return assemble("aitm", towers, slots, junctions)
