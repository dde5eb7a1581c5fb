"""Progressive layered extraction: levels of customised gate control (PLE; Tang et al., RecSys 2020,
https://doi.org/10.1145/3383313.3412236).

Every task and the shared part is a stream. In the lower levels a task's stream mixes its own and the shared experts,
the shared stream mixes all experts; the query of a level's gate is the same stream's vector of the level below. In the
top level only the tasks' gates are left. In formulas, stream r of level l is h_(l,r) = sum_j softmax(W_(l,r)
h_(l-1,r))_j E_(l,j)(h_(l-1,s(j))): j runs over the experts that the stream may mix, s(j) is the stream that expert j
belongs to, and every stream of level 0 is the input.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.building.layered import ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble, edges_from

SHARED = "shared"


def ple(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Experts of one layer each, ``size.layers`` levels."""
    tasks = [tower.task for tower in towers]
    slots, junctions = list[Slot](), [entry_junction()]
    for level in range(1, size.layers + 1):
        shared = _experts(slots, level, None, size)
        own = {task: _experts(slots, level, task, size) for task in tasks}
        junctions += [_gate(level, size.layers, task, [*own[task], *shared]) for task in tasks]
        if level < size.layers:
            everything = [name for task in tasks for name in own[task]] + shared
            junctions.append(_gate(level, size.layers, None, everything))
    return assemble("ple", towers, slots, junctions)


def _experts(slots: list[Slot], level: int, task: str | None, size: Size) -> list[str]:
    """Add a stream's experts of a level; their names."""
    count = size.shared_experts if task is None else size.own_experts
    stream = _stream(task)
    names = [f"{stream}.{level}.{index}" for index in range(count)]
    reads = ENTRY if level == 1 else f"fused.{stream}.{level - 1}"
    slots += [Slot(name=name, layer=level, reads=reads, choices=(size.block,), owner=task) for name in names]
    return names


def _gate(level: int, levels: int, task: str | None, sources: Sequence[str]) -> Junction:
    query = INPUT_QUERY if level == 1 else f"{JUNCTION_QUERY}fused.{_stream(task)}.{level - 1}"
    top = level == levels and task is not None
    name = tower_junction(task) if top and task is not None else f"fused.{_stream(task)}.{level}"
    return Junction(name=name, edges=edges_from(*sources), queries=(query,))


def _stream(task: str | None) -> str:
    """Names of nodes begin with it; no task's stream is called like the shared one."""
    return SHARED if task is None else f"own.{task}"
