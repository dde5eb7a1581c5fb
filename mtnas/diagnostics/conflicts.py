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
        ``components``: per node with several users its kind, users and ``rate``; worst first. ``common_share``: the
        share of the gradients' squared length that no task opposes, on average (GDOD's).
    """
    flat = lone_buffers(net)
    paths = {task.name: task_path(net.graph, route, task.name) for task in tasks}
    names = [task.name for task in tasks]
    parts = [(part_, part_.users(names, paths)) for part_ in components(net, flat)]
    parts = [(part_, users) for part_, users in parts if len(users) > 1]
    counts, shares, pairs = [0.0] * len(parts), [], 0
    shared_P = shared_mask(net, flat, [route])[0]
    for batch in some_batches(data, part, num_batches=num_batches, batch_size=batch_size, seed=seed):
        gradients_TP, _ = task_gradients(net, flat, selection, batch, tasks)
        pairs += 1
        for index, (component, users) in enumerate(parts):
            own = torch.cat([gradients_TP[:, begin:end] for begin, end in component.ranges], dim=1)
            counts[index] += _rate(own[[names.index(user) for user in users]], severe)
        kept = gradients_TP * shared_P
        shares.append(float(gdod_weights((kept @ kept.T)[None])[1]))
    rows = [
        {"kind": component.kind, "name": component.name, "users": list(users), "rate": count / pairs}
        for (component, users), count in zip(parts, counts, strict=True)
    ]
    return {
        "components": sorted(rows, key=lambda row: -float(str(row["rate"]))),
        "common_share": sum(shares) / len(shares),
        "batches": pairs,
    }


def _rate(gradients_UP: Tensor, severe: float) -> float:
    """Share of the pairs of rows with a cosine below ``severe``."""
    unit = torch.nn.functional.normalize(gradients_UP, dim=1, eps=1e-30)
    cosines = unit @ unit.T
    one, two = torch.triu_indices(len(unit), len(unit), offset=1)
    return float((cosines[one, two] < severe).double().mean())
