"""Which of a task's outputs the raw outputs of scikit-learn's models are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtnas.tasks import Task, TaskKind

UNSEEN = -30.0  # logit of a class without rows


def outputs_of(model: Any, task: Task) -> list[int]:
    """The task's output that each raw output of the model is: of two classes the model has the second's alone."""
    if task.kind is not TaskKind.MULTICLASS:
        return [0]
    classes = [int(label) for label in model.classes_]
    return classes if len(classes) > 2 else classes[1:]


def starting_outputs(model: Any, task: Task) -> Tensor:
    """Float64 ``[O]``: outputs that a fitted model adds to; a class without rows is next to impossible."""
    baseline = torch.zeros(task.num_outputs, dtype=torch.float64)
    if task.kind is TaskKind.MULTICLASS:
        baseline.fill_(UNSEEN)
        baseline[[int(label) for label in model.classes_]] = 0.0
    return baseline
