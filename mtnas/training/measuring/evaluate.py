"""Evaluation of a pack on one part of the data: no noise, every row once.

Legend: K pack, N rows, T tasks, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtnas.routes.costs.footprint import footprint
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.products import products
from mtnas.tasks import Task
from mtnas.training.feeding.batches import rows_in_order
from mtnas.training.feeding.rows import TrainingData
from mtnas.training.feeding.task_batches import own_labels_of, own_rows_in_order, own_weights_of
from mtnas.training.measuring.metrics import evaluate_task, in_own_unit

# At most, and fewer where rows make more numbers than these; on a CPU, for K = 4 or 8, half the time of 4,096.
EVALUATION_ROWS = 1024
EVALUATION_NUMBERS = 2**26

PackMetrics = Mapping[str, Mapping[str, Tensor]]


def rows_at_once(numbers_per_row: int) -> int:
    """Rows of one batch of an evaluation: fewer of images than of a table."""
    return max(1, min(EVALUATION_ROWS, EVALUATION_NUMBERS // max(1, numbers_per_row)))


def evaluation_rows(net: Supernet) -> int:
    """Rows of one batch of an evaluation of this pack."""
    per_candidate = footprint(net.graph, net.inputs, own_rows=net.own_rows).evaluated
    return rows_at_once(per_candidate * next(net.parameters()).shape[0])


@torch.no_grad()
def predict(net: Supernet, selection: Selection, data: TrainingData, parts: Sequence[str]) -> list[Tensor]:
    """Outputs ``[K, N, O]`` per task over the rows of the parts, in their order.

    Where rows belong to tasks, those of each task's own rows, in the order of :func:`own_rows_in_order`.
    """
    in_order = own_rows_in_order if net.own_rows else rows_in_order
    with products(data.dtype, data.device):
        batches = [net(batch, selection) for batch in in_order(data, parts=parts, batch_size=evaluation_rows(net))]
    return [torch.cat(outputs, dim=1) for outputs in zip(*batches, strict=True)]


def evaluate(
    net: Supernet, selection: Selection, data: TrainingData, tasks: Sequence[Task], parts: Sequence[str]
) -> PackMetrics:
    """Metrics ``[K]`` by task and metric name; deterministic, and NaN where a part holds no labels."""
    labels_NT = own_labels_of(data, parts) if net.own_rows else data.labels_of(parts)
    weights_NT = own_weights_of(data, parts) if net.own_rows else data.weights_of(parts)
    outputs = predict(net, selection, data, parts)
    return {
        task.name: evaluate_task(task, out, labels_NT[:, t], None if weights_NT is None else weights_NT[:, t])
        for t, (task, out) in enumerate(zip(tasks, outputs, strict=True))
    }


def score(tasks: Sequence[Task], metrics: PackMetrics, label_scales: Mapping[str, Tensor]) -> Tensor:
    """One figure ``[K]`` for choosing checkpoints, larger is better: the mean over tasks of the judged metric.

    Errors count negatively; those of regressions are measured in the label's own spread.
    """
    figures = []
    for task in tasks:
        value = metrics[task.name][task.judged_by]
        if task.judged_by.has_unit:
            value = value / label_scales[task.name]
        figures.append(value if task.judged_by.higher_is_better else -value)
    return torch.stack(figures).mean(0)


def label_scales(data: TrainingData, tasks: Sequence[Task], parts: Sequence[str]) -> dict[str, Tensor]:
    """Standard deviation of every task's labels, in their own unit, over the parts; 1 where it is zero or unknown.

    Without axes, and found without waiting for the device.
    """
    labels_TN = data.labels_of(parts).unbind(1)
    return {task.name: _deviation(in_own_unit(labels_TN[t], task.unit)) for t, task in enumerate(tasks)}


def _deviation(labels_N: Tensor) -> Tensor:
    labelled_N = ~labels_N.isnan()
    count = labelled_N.sum()
    mean = labels_N.nansum() / count
    deviation = (torch.where(labelled_N, labels_N - mean, 0.0).square().sum() / count).sqrt()
    return torch.where(deviation > 0, deviation, 1.0)


def of_candidate(metrics: PackMetrics, candidate: int) -> dict[str, dict[str, float]]:
    """One candidate's metrics as plain numbers."""
    return {
        task: {str(name): float(values[candidate]) for name, values in found.items()} for task, found in metrics.items()
    }
