"""Rows as scikit-learn's models are fitted on them, and the figures of what the models say.

Legend: N rows, O outputs of a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtnas.tasks import Task
from mtnas.training.measuring.metrics import evaluate_task

Metrics = Mapping[str, Mapping[str, float]]
"""By part, then by metric."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Rows, what a model shall say of them, and how much each counts (``None``: all alike)."""

    rows: NDArray[np.int64]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32] | None


def counted(
    task: Task, rows: NDArray[np.int64], labels: NDArray[np.float32], weights: NDArray[np.float32] | None
) -> Counted:
    """A row with a probability as its label is there twice: as a one to that share, and as a zero to the rest."""
    own = None if weights is None else weights[rows]
    if not task.soft:
        return Counted(rows=rows, targets=labels[rows], weights=own)
    shares = np.concatenate([labels[rows], 1 - labels[rows]])
    counts = shares if own is None else shares * np.tile(own, 2)
    targets = np.repeat(np.array([1, 0], np.float32), len(rows))
    return Counted(rows=np.tile(rows, 2), targets=targets, weights=counts)


def metrics_of(
    task: Task,
    outputs_NO: Tensor,
    labels: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    rows: NDArray[np.int64],
) -> dict[str, float]:
    """Every metric of the task for outputs on these rows; labels and weights are of all rows."""
    counts = None if weights is None else torch.from_numpy(weights[rows])
    found = evaluate_task(task, outputs_NO[None], torch.from_numpy(labels[rows]), counts)
    return {str(name): float(value[0]) for name, value in found.items()}
