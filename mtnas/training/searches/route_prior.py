"""A prior over routes from task affinity: tasks whose gradients agree begin with a leaning to the same sub-networks.

Ours. The affinity is TAG's to first order (METHODS.md section 7): a small step on task i changes the loss of task j by
``- lr g_i . g_j``; we take the cosine, so that no loss's scale decides.

Legend: K pack, T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtnas.routes import RouteGraph

EdgePrior = Mapping[tuple[str, str], float]

_CONTRAST = 0.1


def cosines(gram_KTT: Tensor) -> Tensor:
    """Cosines ``[K, T, T]`` of gradients with these inner products; 0 for a gradient that vanishes."""
    length_KT = gram_KTT.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()
    scale_KTT = length_KT.unsqueeze(1) * length_KT.unsqueeze(2)
    return torch.where(scale_KTT > 0, gram_KTT / scale_KTT.clamp(min=1e-30), 0.0)


def task_groups(affinity: Sequence[Sequence[float]], *, most: int) -> tuple[int, ...]:
    """Each task's group, numbered from 0 in the order of their first tasks.

    Groups grow from single tasks by joining the two of largest mean affinity, until at most ``most`` are left and no
    two have a positive mean affinity in the upper half of what pairs of tasks have. Where all pairs have about the
    same, a positive one is enough.
    """
    num_tasks = len(affinity)
    pairs = [affinity[i][j] + affinity[j][i] for i in range(num_tasks) for j in range(i)]
    contrast = bool(pairs) and max(pairs) - min(pairs) > 2 * _CONTRAST
    bar = max(0.0, (max(pairs) + min(pairs)) / 2) if contrast else 0.0
    groups = [[task] for task in range(num_tasks)]

    def mean(one: list[int], two: list[int]) -> float:
        return sum(affinity[i][j] + affinity[j][i] for i in one for j in two) / (len(one) * len(two))

    while len(groups) > 1:
        found, a, b = max((mean(groups[a], groups[b]), a, b) for a in range(len(groups)) for b in range(a))
        if len(groups) <= most and found <= bar:
            break
        groups[b] = sorted(groups[b] + groups[a])
        del groups[a]
    ordered = sorted(groups)
    return tuple(next(g for g, members in enumerate(ordered) if task in members) for task in range(num_tasks))


def groups_by_affinity(affinity: Sequence[Sequence[float]], *, count: int) -> tuple[int, ...]:
    """So many groups, numbered in the order of their first tasks, grown by joining the two of largest mean affinity."""
    num_tasks = len(affinity)
    groups = [[task] for task in range(num_tasks)]

    def mean(one: list[int], two: list[int]) -> float:
        return sum(affinity[i][j] + affinity[j][i] for i in one for j in two) / (len(one) * len(two))

    while len(groups) > count:
        _, a, b = max((mean(groups[a], groups[b]), a, b) for a in range(len(groups)) for b in range(a))
        groups[b] = sorted(groups[b] + groups[a])
        del groups[a]
    ordered = sorted(groups)
    return tuple(next(g for g, members in enumerate(ordered) if task in members) for task in range(num_tasks))


def edge_prior(graph: RouteGraph, groups: Sequence[int], *, strength: float) -> EdgePrior:
    """Log-odds of edges: ``strength`` inside a group of tasks, its negative across groups.

    The slots of every layer are dealt out to the groups in turn. Edges from encoders, and into junctions that serve
    several groups, have none.
    """
    num_groups = max(groups) + 1
    owner: dict[str, int] = {}
    for layer in range(1, graph.num_layers + 1):
        names = [slot.name for slot in graph.slots if slot.layer == layer]
        owner |= {name: index % num_groups for index, name in enumerate(names)}
    group_of_task = dict(zip(graph.tasks, groups, strict=True))
    readers: dict[str, set[int]] = {}
    for tower in graph.towers:
        readers.setdefault(tower.reads, set()).add(group_of_task[tower.task])
    for slot in graph.slots:
        readers.setdefault(slot.reads, set()).add(owner[slot.name])
    prior: dict[tuple[str, str], float] = {}
    for junction in graph.junctions:
        served = readers.get(junction.name, set())
        for source in junction.sources:
            if len(served) == 1 and source in owner and num_groups > 1:
                prior[junction.name, source] = strength if owner[source] in served else -strength
    return prior
