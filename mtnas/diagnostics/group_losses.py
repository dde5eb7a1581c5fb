"""What every group of tasks would reach if it were trained by itself, estimated from one network trained on all.

Grad-TAG (Li et al., KDD 2024, https://arxiv.org/abs/2409.06091, section 3): near the weights theta of a network that
was trained on all tasks, outputs are linear, f(theta + R w) = f(theta) + (df/dtheta R) w, with R a few random
directions. A group's own training is then a convex problem in w, which takes milliseconds. Where the paper projects
gradients per example, we differentiate the outputs along the directions (central differences): the same numbers,
without a backward pass per example.

Legend: T tasks, B rows, O outputs of a task, D directions, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from math import isnan, nan

import torch
from torch import Tensor

from mtnas.diagnostics.gradients import lone_buffers, some_batches
from mtnas.supernets import Selection, Supernet
from mtnas.tasks import Task
from mtnas.training.feeding.rows import Batch, TrainingData
from mtnas.training.step.losses import batch_losses, labelled_tasks

MOST_EXHAUSTIVE = 8
"""Tasks of which every group and every partition is looked at: 255 and 4,140."""

_STEP = 1e-2  # of the weights' norm: differences stand above rounding, and what is not linear cancels in pairs
_RIDGE = 1e-3
_ITERATIONS = 30

Group = frozenset[int]


def group_losses(
    net: Supernet,
    selection: Selection,
    data: TrainingData,
    tasks: Sequence[Task],
    *,
    fit_on: str = "train",
    judge_on: str = "search",
    num_rows: int = 2048,
    directions: int = 128,
    seed: int = 0,
) -> dict[Group, dict[int, float]]:
    """The estimated loss of every task of every group, on rows that nothing was fitted on.

    Groups are all of them for up to ``MOST_EXHAUSTIVE`` tasks, else single tasks and pairs. A task without a label in
    the rows that judge has no loss (NaN); one without a label in those that are fitted on leads nobody anywhere.

    Args:
        net: one candidate, trained on all tasks.
        selection: its route.
        data: where the rows come from.
        tasks: in the order of the graph's towers.
        fit_on: part that groups are trained on.
        judge_on: part that they are judged on.
        num_rows: rows of each, at most.
        directions: D.
        seed: of rows and directions.
    """
    fit, judge = (_linear(net, selection, data, part, num_rows, directions, seed) for part in (fit_on, judge_on))
    found: dict[Group, dict[int, float]] = {}
    for group in _groups(len(tasks)):
        w_D = _trained(fit, tasks, group)
        with torch.no_grad():
            losses_T = judge.losses(w_D, tasks).masked_fill(~judge.labelled_T, nan)
        found[group] = {task: float(losses_T[task]) for task in sorted(group)}
    return found


def affinities(losses: Mapping[Group, Mapping[int, float]], num_tasks: int) -> list[list[float]]:
    """``[i][j]``: by what share task i's company lowers the loss of task j, from pairs.

    0 on the diagonal, and where a task has no loss.
    """

    def gain(i: int, j: int) -> float:
        found = 1 - losses[Group({i, j})][j] / max(losses[Group({j})][j], 1e-30)
        return 0.0 if i == j or isnan(found) else found

    return [[gain(i, j) for j in range(num_tasks)] for i in range(num_tasks)]


def best_partition(
    losses: Mapping[Group, Mapping[int, float]], partitions: Iterable[tuple[int, ...]]
) -> tuple[int, ...]:
    """The partition whose groups have the lowest losses, each relative to that of the task alone.

    Args:
        losses: of :func:`group_losses`, of all groups.
        partitions: each task's group, by number; the first of equals wins.
    """

    def total(groups: tuple[int, ...]) -> float:
        members = {g: Group(t for t, own in enumerate(groups) if own == g) for g in set(groups)}
        of_tasks = [(losses[members[g]][task], losses[Group({task})][task]) for task, g in enumerate(groups)]
        return sum(loss / max(alone, 1e-30) for loss, alone in of_tasks if not isnan(loss))

    return min(partitions, key=total)


class _Linear:
    """Outputs of all tasks on some rows, as functions of w."""

    def __init__(self, batch: Batch, outputs: Sequence[Tensor], slopes: Sequence[Tensor]) -> None:
        self._batch, self._outputs, self._slopes = batch, outputs, slopes
        self.start_D = slopes[0].new_zeros(slopes[0].shape[-1])
        self.labelled_T = labelled_tasks(batch)[0]

    def losses(self, w_D: Tensor, tasks: Sequence[Task]) -> Tensor:
        """``[T]``."""
        moved = [out + slope @ w_D for out, slope in zip(self._outputs, self._slopes, strict=True)]
        return batch_losses(moved, self._batch, tasks)[0]


def _linear(
    net: Supernet, selection: Selection, data: TrainingData, part: str, num_rows: int, directions: int, seed: int
) -> _Linear:
    flat = lone_buffers(net)
    size = min(num_rows, len(data.rows_of((part,))))
    (batch,) = some_batches(data, part, num_batches=1, batch_size=size, seed=seed)
    kept = flat.weights.clone()
    generator = torch.Generator(device=kept.device).manual_seed(seed)
    with torch.no_grad():
        outputs = [out.clone() for out in net(batch, selection)]
        length = _STEP * torch.linalg.vector_norm(kept).clamp(min=1.0)
        columns: list[list[Tensor]] = [[] for _ in outputs]
        for _ in range(directions):
            r = torch.randn(kept.shape, generator=generator, device=kept.device, dtype=kept.dtype)
            r = r * (length / torch.linalg.vector_norm(r))
            flat.weights.copy_(kept + r)
            ahead = [out.clone() for out in net(batch, selection)]
            flat.weights.copy_(kept - r)
            for column, one, two in zip(columns, ahead, net(batch, selection), strict=True):
                column.append((one - two) / 2)
        flat.weights.copy_(kept)
    return _Linear(batch, outputs, [torch.stack(column, dim=-1) for column in columns])


def _trained(rows: _Linear, tasks: Sequence[Task], group: Group) -> Tensor:
    """The w of a group's own training."""
    w_D = rows.start_D.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([w_D], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")
    members = [task for task in sorted(group) if rows.labelled_T[task]]
    if not members:
        return rows.start_D
    with torch.no_grad():
        scale_T = rows.losses(rows.start_D, tasks).clamp(min=1e-12)

    def closure() -> Tensor:
        optimiser.zero_grad()
        relative_T = rows.losses(w_D, tasks) / scale_T
        loss = relative_T[members].mean() + _RIDGE * (w_D @ w_D)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    step: Callable[[Callable[[], Tensor]], object] = optimiser.step
    step(closure)
    return w_D.detach()


def _groups(num_tasks: int) -> Iterable[Group]:
    most = num_tasks if num_tasks <= MOST_EXHAUSTIVE else 2
    for size in range(1, most + 1):
        yield from (Group(members) for members in combinations(range(num_tasks), size))
