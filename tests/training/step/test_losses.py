"""Batched losses equal each candidate's and task's own, whatever is missing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtnas.errors import TrainingError
from mtnas.tasks import Loss, Task, TaskKind
from mtnas.training.step.losses import task_losses

NUM_CANDIDATES, BATCH = 3, 17
SEEDS = range(8)


def _task(name: str, kind: TaskKind, num_classes: int = 1) -> Task:
    return Task(name=name, kind=kind, label=name, num_classes=num_classes)


TASK_LISTS = {
    "binary": (_task("a", TaskKind.BINARY), _task("b", TaskKind.BINARY)),
    "regression": (_task("a", TaskKind.REGRESSION),),
    "robust": (
        _task("a", TaskKind.REGRESSION),
        replace(_task("b", TaskKind.REGRESSION), loss=Loss.HUBER, delta=0.7),
        replace(_task("c", TaskKind.REGRESSION), loss=Loss.QUANTILE, quantile=0.8),
        replace(_task("d", TaskKind.REGRESSION), loss=Loss.HUBER, delta=0.2),
    ),
    "multiclass": (_task("a", TaskKind.MULTICLASS, 3), _task("b", TaskKind.MULTICLASS, 3)),
    "mixed": (
        _task("a", TaskKind.MULTICLASS, 4),
        _task("b", TaskKind.BINARY),
        _task("c", TaskKind.REGRESSION),
        _task("d", TaskKind.BINARY),
        _task("e", TaskKind.MULTICLASS, 2),
    ),
}


def _instance(tasks: tuple[Task, ...], seed: int, *, label_sets: int) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    outputs = [
        torch.randn(NUM_CANDIDATES, BATCH, task.num_outputs, dtype=torch.float64, generator=generator).requires_grad_()
        for task in tasks
    ]
    columns = []
    for task in tasks:
        shape = (label_sets, BATCH)
        if task.kind is TaskKind.REGRESSION:
            columns.append(torch.randn(shape, generator=generator, dtype=torch.float64))
        else:
            columns.append(torch.randint(max(2, task.num_classes), shape, generator=generator).double())
    labels = torch.stack(columns, dim=2)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = math.nan
    return outputs, labels


def _alone(task: Task, output: Tensor, labels: Tensor) -> Tensor:
    """One task of one candidate by the library's own means, unlabelled rows removed."""
    output, labels = output[~labels.isnan()], labels[~labels.isnan()]
    if len(labels) == 0:
        return output.sum() * 0
    match task.kind:
        case TaskKind.BINARY:
            return functional.binary_cross_entropy_with_logits(output[:, 0], labels)
        case TaskKind.MULTICLASS:
            return functional.cross_entropy(output, labels.long())
        case TaskKind.REGRESSION if task.loss is Loss.HUBER:
            return 2 * functional.huber_loss(output[:, 0], labels, delta=task.delta)
        case TaskKind.REGRESSION if task.loss is Loss.QUANTILE:
            below = labels < output[:, 0]
            share = below.double() * (1 - task.quantile) + (~below).double() * task.quantile
            return (share * (labels - output[:, 0]).abs()).mean()
        case TaskKind.REGRESSION:
            return functional.mse_loss(output[:, 0], labels)


@pytest.mark.parametrize("label_sets", [1, NUM_CANDIDATES])
@pytest.mark.parametrize("tasks", TASK_LISTS.values(), ids=TASK_LISTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_values_and_gradients_equal_each_candidate_and_task_alone(
    seed: int, tasks: tuple[Task, ...], label_sets: int
) -> None:
    outputs, labels = _instance(tasks, seed, label_sets=label_sets)
    factors = torch.randn(NUM_CANDIDATES, len(tasks), dtype=torch.float64)
    losses = task_losses(outputs, labels, tasks)
    expected = torch.stack(
        [
            torch.stack([_alone(task, outputs[t][k], labels[k % label_sets, :, t]) for t, task in enumerate(tasks)])
            for k in range(NUM_CANDIDATES)
        ]
    )
    torch.testing.assert_close(losses, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(
        torch.autograd.grad((losses * factors).sum(), outputs),
        torch.autograd.grad((expected * factors).sum(), outputs),
        rtol=1e-12,
        atol=1e-14,
    )


@pytest.mark.parametrize("tasks", TASK_LISTS.values(), ids=TASK_LISTS)
def test_a_task_without_labels_has_no_loss_and_no_gradient(tasks: tuple[Task, ...]) -> None:
    outputs, labels = _instance(tasks, 0, label_sets=1)
    labels[:, :, 0] = math.nan
    losses = task_losses(outputs, labels, tasks)
    gradients = torch.autograd.grad(losses.sum(), outputs)
    assert (losses[:, 0] == 0).all()
    assert (gradients[0] == 0).all()
    assert losses.isfinite().all()


def test_permuting_tasks_permutes_losses() -> None:
    tasks = TASK_LISTS["mixed"]
    outputs, labels = _instance(tasks, 3, label_sets=1)
    order = [3, 0, 4, 2, 1]
    permuted = task_losses([outputs[i] for i in order], labels[:, :, order], [tasks[i] for i in order])
    torch.testing.assert_close(permuted, task_losses(outputs, labels, tasks)[:, order], rtol=1e-14, atol=0)


def test_half_precision_outputs_give_float32_losses() -> None:
    tasks = TASK_LISTS["mixed"]
    outputs, labels = _instance(tasks, 0, label_sets=1)
    losses = task_losses([output.bfloat16() for output in outputs], labels.float(), tasks)
    assert losses.dtype == torch.float32


def test_shapes_that_do_not_fit_are_refused() -> None:
    tasks = TASK_LISTS["binary"]
    outputs, labels = _instance(tasks, 0, label_sets=1)
    with pytest.raises(TrainingError, match="loss of task 'b'"):
        task_losses([outputs[0], outputs[1][:2]], labels, tasks)
    with pytest.raises(TrainingError, match="per task"):
        task_losses(outputs[:1], labels, tasks)
    with pytest.raises(TrainingError, match="per task"):
        task_losses(outputs, labels[0], tasks)
    with pytest.raises(TrainingError, match="labels of 1 or 3 candidates"):
        task_losses(outputs, labels.expand(2, -1, -1), tasks)
