"""Adaptive task-to-task fusion: every task's gate over all tasks' experts, plus a residual to its own (AdaTT-sp; Li et
al., KDD 2023, https://arxiv.org/abs/2304.04959).

f_t = AllExpertGF_t + NativeExpertLF_t: a softmax over all experts, whose query is the task's vector of the level
below, and a linear combination of the task's own experts with free coefficients, which is 1 for a single expert.
The sum is a junction over two slots that hand their input on (``fuse``, ``native``), or the only own expert itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.blocks.block import Block, BlockKind
from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, GateKind, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble, edges_from

PASSING = (Block(kind=BlockKind.IDENTITY),)


def adatt(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Experts of one layer each, ``size.layers`` levels; level l takes the slot layers 2 l - 1 and 2 l."""
    tasks = [tower.task for tower in towers]
    slots, junctions = list[Slot](), [entry_junction()]
    for level in range(1, size.layers + 1):
        own = {task: [f"expert.{level}.{task}.{index}" for index in range(size.own_experts)] for task in tasks}
        for task in tasks:
            reads = ENTRY if level == 1 else f"fused.{level - 1}.{task}"
            slots += [
                Slot(name=name, layer=2 * level - 1, reads=reads, choices=(size.block,), owner=task)
                for name in own[task]
            ]
        everything = [name for task in tasks for name in own[task]]
        for task in tasks:
            _fusion(slots, junctions, level=level, levels=size.layers, task=task, own=own[task], everything=everything)
    return assemble("adatt", towers, slots, junctions)


def _fusion(
    slots: list[Slot],
    junctions: list[Junction],
    *,
    level: int,
    levels: int,
    task: str,
    own: Sequence[str],
    everything: Sequence[str],
) -> None:
    """Add a task's softmax over everything, its combination of its own experts, and their sum."""
    query = INPUT_QUERY if level == 1 else f"{JUNCTION_QUERY}fused.{level - 1}.{task}"
    mixed, fuse, native = f"all.{level}.{task}", f"fuse.{level}.{task}", f"native.{level}.{task}"
    junctions.append(Junction(name=mixed, edges=edges_from(*everything), queries=(query,)))
    slots.append(Slot(name=fuse, layer=2 * level, reads=mixed, choices=PASSING, owner=task))
    residual = own[0]
    if len(own) > 1:
        reads = f"combine.{level}.{task}"
        junctions.append(Junction(name=reads, edges=edges_from(*own), gates=(GateKind.FREE,), queries=()))
        slots.append(Slot(name=native, layer=2 * level, reads=reads, choices=PASSING, owner=task))
        residual = native
    name = f"fused.{level}.{task}" if level < levels else tower_junction(task)
    junctions.append(Junction(name=name, edges=edges_from(fuse, residual), gates=(GateKind.SUM,), queries=()))
