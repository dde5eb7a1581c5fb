"""Gain over single-task training, per task, on average and at worst (PROTOCOL: sign-corrected, relative)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mtnas.tasks import Metric, Task


def gain(metric: Metric, value: float, reference: float) -> float:
    """How much better ``value`` is than ``reference``, as a share of the reference; positive is better.

    NaN where it cannot be told: either figure is NaN, or the reference is zero.
    """
    if reference == 0:
        return math.nan
    difference = value - reference if metric.higher_is_better else reference - value
    return difference / abs(reference)


def task_gains(
    tasks: Sequence[Task],
    per_task: Mapping[str, Mapping[str, float]],
    reference: Mapping[str, Mapping[str, float]],
) -> dict[str, float]:
    """Every task's gain in the metric it is judged by.

    Args:
        tasks: the job's tasks.
        per_task: metrics by task name, then by metric name, as in ``Evaluation.per_task``.
        reference: the same for single-task training.
    """
    return {
        task.name: gain(task.judged_by, per_task[task.name][task.judged_by], reference[task.name][task.judged_by])
        for task in tasks
    }


def figures(
    tasks: Sequence[Task],
    per_task: Mapping[str, Mapping[str, float]],
    reference: Mapping[str, Mapping[str, float]],
) -> dict[str, float]:
    """What objectives may speak of: ``<task>.<metric>`` as judged, ``mean_gain`` and ``worst_gain``."""
    gains = task_gains(tasks, per_task, reference)
    judged = {f"{task.name}.{task.judged_by}": per_task[task.name][task.judged_by] for task in tasks}
    return judged | {"mean_gain": mean_gain(gains), "worst_gain": worst_gain(gains)}


def mean_gain(gains: Mapping[str, float]) -> float:
    """Mean over the tasks; NaN if any task's gain is."""
    return math.fsum(gains.values()) / len(gains)


def worst_gain(gains: Mapping[str, float]) -> float:
    """The smallest task's gain; NaN if any task's gain is."""
    return math.nan if any(math.isnan(value) for value in gains.values()) else min(gains.values())
