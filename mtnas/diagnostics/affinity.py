"""Task affinity: what a step on one task's loss does to another's (TAG; Fifty et al., 2021, arXiv 2109.04617).

Legend: T tasks, P elements of one candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import torch

from mtnas.diagnostics.gradients import lone_buffers, some_batches, task_gradients
from mtnas.routes import Route
from mtnas.supernets import Selection, Supernet
from mtnas.tasks import Task
from mtnas.training.feeding.rows import TrainingData
from mtnas.training.step.components import shared_mask
from mtnas.training.step.losses import batch_losses, labelled_tasks


def affinity(
    net: Supernet,
    selection: Selection,
    route: Route,
    data: TrainingData,
    tasks: Sequence[Task],
    *,
    part: str,
    lr: float = 0.01,
    num_batches: int = 8,
    batch_size: int = 256,
    seed: int = 0,
) -> list[list[float | None]]:
    """``Z[i][j] = 1 - L_j(theta after a step on i) / L_j(theta)``: positive where task i helps task j.

    A look-ahead is one plain gradient step of length ``lr`` times the unit gradient, on the shared parameters alone,
    on the same rows; the mean over the batches that have labels of both tasks is given, ``None`` where there is none.
    Weights are as before afterwards.

    Args:
        net: one candidate.
        selection: its route.
        route: the same, to know what is shared.
        data: where the batches come from.
        tasks: in the order of the graph's towers.
        part: rows to look at.
        lr: length of the step.
        num_batches: batches to average over.
        batch_size: rows of a batch.
        seed: of the rows' order.
    """
    flat = lone_buffers(net)
    shared_P = shared_mask(net, flat, [route])[0]
    total_TT = torch.zeros(len(tasks), len(tasks), dtype=torch.float64, device=data.device)
    seen_TT = torch.zeros_like(total_TT)
    for batch in some_batches(data, part, num_batches=num_batches, batch_size=batch_size, seed=seed):
        gradients_TP, before_T = task_gradients(net, flat, selection, batch, tasks)
        present_T = labelled_tasks(batch)[0]
        both_TT = present_T[:, None] & present_T
        seen_TT += both_TT
        kept = flat.weights.clone()
        with torch.no_grad():
            for i, gradient_P in enumerate(gradients_TP * shared_P):
                flat.weights[0] -= lr * gradient_P / torch.linalg.vector_norm(gradient_P).clamp(min=1e-30)
                after_T = batch_losses(net(batch, selection), batch, tasks)[0]
                total_TT[i] += torch.where(both_TT[i], 1 - after_T / before_T.clamp(min=1e-30), 0.0).double()
                flat.weights.copy_(kept)
    return [[None if isnan(value) else value for value in row] for row in (total_TT / seen_TT).tolist()]
