"""How often task gradients conflict, by component (Recon; Shi et al., 2023, https://arxiv.org/abs/2302.11289).

Legend: T tasks, P elements of one candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mtnas.diagnostics.gradients import lone_buffers, some_batches, task_gradients
from mtnas.routes import Route, task_path
from mtnas.supernets import Selection, Supernet
from mtnas.tasks import Task
from mtnas.training.feeding.rows import TrainingData
from mtnas.training.step.balancing.gdod import gdod_weights
from mtnas.training.step.components import components, shared_mask
from mtnas.training.step.losses import labelled_tasks


def conflicts(
    net: Supernet,
    selection: Selection,
    route: Route,
    data: TrainingData,
    tasks: Sequence[Task],
    *,
    part: str,
    num_batches: int = 8,
    batch_size: int = 256,
    severe: float = 0.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Share of (batch, pair of users) whose gradients on a component have a cosine below ``severe``.

    Pairs of tasks count in the batches that have labels of both.

    The parameters of ``net`` become views of a buffer (``FlatParameters``), which changes no value.

    Args:
        net: one candidate.
        selection: its route.
        route: the same, to know who uses what.
        data: where the batches come from.
        tasks: in the order of the graph's towers.
        part: rows to look at.
        num_batches: batches of them.
        batch_size: rows of a batch; the smaller, the noisier the gradients.
        severe: in (-1, 0], the cosine below which two gradients conflict (Recon's S).
        seed: of the rows' order.

    Returns:
        ``components``: per node with several users its kind, users and ``rate`` (``None`` if no batch has labels of
        two of them); worst first. ``common_share``: the share of the gradients' squared length that no task opposes,
        on average (GDOD's).
    """
    flat = lone_buffers(net)
    paths = {task.name: task_path(net.graph, route, task.name) for task in tasks}
    names = [task.name for task in tasks]
    parts = [(part_, part_.users(names, paths)) for part_ in components(net, flat)]
    parts = [(part_, users) for part_, users in parts if len(users) > 1]
    counts, shares, batches = torch.zeros(len(parts), 2, dtype=torch.float64, device=data.device), [], 0
    shared_P = shared_mask(net, flat, [route])[0]
    for batch in some_batches(data, part, num_batches=num_batches, batch_size=batch_size, seed=seed):
        gradients_TP, _ = task_gradients(net, flat, selection, batch, tasks)
        present_T = labelled_tasks(batch)[0]
        batches += 1
        for index, (component, users) in enumerate(parts):
            own = torch.cat([gradients_TP[:, begin:end] for begin, end in component.ranges], dim=1)
            places = [names.index(user) for user in users]
            counts[index] += _conflicting(own[places], present_T[places], severe)
        kept = gradients_TP * shared_P
        shares.append(gdod_weights((kept @ kept.T)[None], present_T[None])[1])
    rows: list[tuple[float, dict[str, Any]]] = []
    for (component, users), (count, pairs) in zip(parts, counts.tolist(), strict=True):
        rate = count / pairs if pairs else None
        row = {"kind": component.kind, "name": component.name, "users": list(users), "rate": rate}
        rows.append((-1.0 if rate is None else rate, row))
    return {
        "components": [row for _, row in sorted(rows, key=lambda ranked: -ranked[0])],
        "common_share": float(torch.cat(shares).mean()),
        "batches": batches,
    }


def _conflicting(gradients_UP: Tensor, present_U: Tensor, severe: float) -> Tensor:
    """How many of the pairs of rows have a cosine below ``severe``, and how many pairs there are, ``[2]``."""
    unit = torch.nn.functional.normalize(gradients_UP, dim=1, eps=1e-30)
    cosines = unit @ unit.T
    one, two = torch.triu_indices(len(unit), len(unit), offset=1)
    both = present_U[one] & present_U[two]
    return torch.stack([((cosines[one, two] < severe) & both).sum(), both.sum()])
