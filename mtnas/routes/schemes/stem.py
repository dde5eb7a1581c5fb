"""Shared and task-specific embeddings: every task's gate sees all experts, gradients reach only its own and the shared
ones (STEM; Su et al., AAAI 2024, https://arxiv.org/abs/2308.13537).

Every task has embedding tables of its own beside the shared ones (an encoder each), and experts that read them. The
gate of a task takes all tasks' experts, those of other tasks forward-only; its query is the sum of its own and the
shared embedding vector. In formulas, the tower of task t reads sum_j g_(t,j) E_j(x_s(j)), g_t = softmax(W_t (x_t +
x_0)), where x_s are the embeddings of task s (0: shared), s(j) is whose expert j is, and E_j(x_s(j)) stands without its
gradient unless s(j) is t or 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.building.layered import ENCODER, ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import JUNCTION_QUERY, Edge, EdgeState, Encoder, GateKind, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble, edges_from, passing

STOPPED = (EdgeState.FORWARD_ONLY,)


def stem(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """One level of experts with all the layers, as ``cgc``."""
    tasks = [tower.task for tower in towers]
    shared = [f"shared.{index}" for index in range(size.shared_experts)]
    own = {task: [f"own.{task}.{index}" for index in range(size.own_experts)] for task in tasks}
    block = (size.tower_of_blocks,)
    slots = [Slot(name=name, layer=1, reads=ENTRY, choices=block) for name in shared]
    junctions = [entry_junction()]
    for task in tasks:
        encoder, reads = _encoder(task), f"in.{task}"
        slots += [Slot(name=name, layer=1, reads=reads, choices=block, owner=task) for name in own[task]]
        both = Junction(name=f"both.{task}", edges=edges_from(encoder, ENCODER), gates=(GateKind.SUM,), queries=())
        others = [name for other in tasks if other != task for name in own[other]]
        edges = (*edges_from(*own[task], *shared), *(Edge(source=name, states=STOPPED) for name in others))
        gate = Junction(name=tower_junction(task), edges=edges, queries=(f"{JUNCTION_QUERY}{both.name}",))
        junctions += [passing(reads, encoder), both, gate]
    encoders = (Encoder(name=ENCODER), *(Encoder(name=_encoder(task)) for task in tasks))
    return assemble("stem", towers, slots, junctions, encoders)


def _encoder(task: str) -> str:
    return f"{ENCODER}.{task}"
