"""The tasks' losses on a batch, for all candidates at once.

Legend: K pack, L label sets (1 if all candidates see the same rows, else K), B batch, T tasks, G tasks of one
group, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mtnas.errors import TrainingError
from mtnas.tasks import Loss, Task, TaskKind
from mtnas.training.feeding.rows import Batch

_UNLABELLED = -100


def task_losses(
    outputs: Sequence[Tensor], labels_LBT: Tensor, tasks: Sequence[Task], weights_LBT: Tensor | None = None
) -> Tensor:
    """Mean loss per candidate and task over the labelled rows of a batch; never waits for the device.

    Binary tasks have cross-entropy with logits, multiclass ones cross-entropy, regressions the squared, Huber or
    quantile error of standardised targets. Task weights are left to the balancer. A task without a labelled row has
    loss zero and no gradient. Tasks of one kind, width and loss are computed together.

    Args:
        outputs: per task ``[K, B, task.num_outputs]``.
        labels_LBT: ``[1, B, T]`` or ``[K, B, T]``; NaN where a row has no label.
        tasks: in the order of ``outputs`` and of the labels' last axis.
        weights_LBT: how much each labelled row counts, like the labels; ``None`` counts all alike. Weights have mean 1
            over the training rows, and a batch's losses are divided by its labelled rows, whatever these weigh, so that
            the mean over batches is the weighted mean over rows.

    Returns:
        ``[K, T]``, at least float32.

    Raises:
        TrainingError: shapes that do not fit.
    """
    _check(outputs, labels_LBT, tasks)
    groups: dict[tuple[float | str, ...], list[int]] = {}
    for position, task in enumerate(tasks):
        groups.setdefault((task.kind, task.num_outputs, task.loss, task.delta, task.quantile), []).append(position)
    if len(groups) == 1:
        return _group_losses(tasks[0], torch.stack(tuple(outputs), dim=2), labels_LBT, weights_LBT)
    columns = labels_LBT.unbind(2)
    losses: list[Tensor] = [labels_LBT] * len(tasks)
    for positions in groups.values():
        outputs_KBGC = torch.stack([outputs[position] for position in positions], dim=2)
        labels_LBG = torch.stack([columns[position] for position in positions], dim=2)
        weights_LBG = None if weights_LBT is None else weights_LBT[:, :, positions]
        losses_KG = _group_losses(tasks[positions[0]], outputs_KBGC, labels_LBG, weights_LBG)
        for position, loss_K in zip(positions, losses_KG.unbind(1), strict=True):
            losses[position] = loss_K
    return torch.stack(losses, dim=1)


def batch_losses(outputs: Sequence[Tensor], batch: Batch, tasks: Sequence[Task]) -> Tensor:
    """:func:`task_losses` with a batch's labels and weights."""
    weights = None if batch.weights is None else batch.for_candidates(batch.weights)
    return task_losses(outputs, batch.for_candidates(batch.labels), tasks, weights)


def labelled_tasks(batch: Batch) -> Tensor:
    """Which tasks the batch has labels of: bool ``[1, T]`` or ``[K, T]``; never waits for the device."""
    return ~batch.for_candidates(batch.labels).isnan().all(dim=1)


def _group_losses(task: Task, outputs_KBGC: Tensor, labels_LBG: Tensor, weights_LBG: Tensor | None) -> Tensor:
    """Losses ``[K, G]`` of tasks that are like this one in kind, width and loss."""
    outputs_KBGC = outputs_KBGC.to(torch.promote_types(outputs_KBGC.dtype, torch.float32))
    labelled_LBG = ~labels_LBG.isnan()
    match task.kind:
        case TaskKind.MULTICLASS:
            classes_KBG = torch.where(labelled_LBG, labels_LBG, _UNLABELLED).long().expand(outputs_KBGC.shape[:3])
            losses_KBG = functional.cross_entropy(
                outputs_KBGC.flatten(0, 2), classes_KBG.flatten(), ignore_index=_UNLABELLED, reduction="none"
            ).view(classes_KBG.shape)
        case TaskKind.BINARY:
            targets = labels_LBG.nan_to_num(0.0).to(outputs_KBGC.dtype)
            values = outputs_KBGC.squeeze(3)
            losses_KBG = functional.binary_cross_entropy_with_logits(
                values, targets.expand(values.shape), reduction="none"
            )
        case TaskKind.REGRESSION:
            losses_KBG = _errors(task, labels_LBG.nan_to_num(0.0) - outputs_KBGC.squeeze(3))
    counts_LBG = labelled_LBG.to(losses_KBG.dtype)
    num_labelled = counts_LBG.sum(1).clamp(min=1.0)
    if weights_LBG is not None:
        counts_LBG = counts_LBG * weights_LBG
    return (losses_KBG * counts_LBG).sum(1) / num_labelled


def _errors(task: Task, missed: Tensor) -> Tensor:
    """The loss of what a regression missed, ``target - output``."""
    match task.loss:
        case Loss.SQUARED:
            return missed.square()
        case Loss.HUBER:  # twice Huber's (1964), so that small errors count as squares do
            far = missed.abs() - task.delta
            return torch.where(far > 0, task.delta * (2 * far + task.delta), missed.square())
        case Loss.QUANTILE:
            return torch.maximum(task.quantile * missed, (task.quantile - 1) * missed)


def _check(outputs: Sequence[Tensor], labels_LBT: Tensor, tasks: Sequence[Task]) -> None:
    if labels_LBT.ndim != 3 or not tasks or not len(outputs) == len(tasks) == labels_LBT.shape[2]:
        raise TrainingError(
            expected="one output and one column of labels [1 or K, B, T] per task",
            found=f"{len(tasks)} tasks, {len(outputs)} outputs, labels {tuple(labels_LBT.shape)}",
            where="losses",
        )
    num_candidates, batch = outputs[0].shape[0], labels_LBT.shape[1]
    for task, output in zip(tasks, outputs, strict=True):
        if output.shape != (num_candidates, batch, task.num_outputs):
            raise TrainingError(
                expected=f"outputs [{num_candidates}, {batch}, {task.num_outputs}]",
                found=str(tuple(output.shape)),
                where=f"loss of task {task.name!r}",
            )
    if labels_LBT.shape[0] not in (1, num_candidates):
        raise TrainingError(
            expected=f"labels of 1 or {num_candidates} candidates", found=str(labels_LBT.shape[0]), where="losses"
        )
