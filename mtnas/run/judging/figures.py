"""Figures that phases compare: gains over single-task training, and one score for choosing on ``valid``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from mtnas.tasks import Task
from mtnas.training.measuring.gains import figures
from mtnas.trials import Evaluation

Metrics = Mapping[str, Mapping[str, float]]


def gains_on(
    part: str, tasks: Sequence[Task], evaluations: Sequence[Evaluation], reference: Metrics
) -> dict[str, float]:
    """``mean_gain``, ``worst_gain`` and ``<task>.<metric>`` on one part, against single-task metrics of that part."""
    found = next(evaluation for evaluation in evaluations if evaluation.part == part)
    return figures(tasks, found.per_task, reference)


def judged(tasks: Sequence[Task], metrics: Metrics) -> dict[str, float]:
    """Every task's judged metric as ``<task>.<metric>``."""
    return {f"{task.name}.{task.judged_by}": metrics[task.name][task.judged_by] for task in tasks}


def valid_score(tasks: Sequence[Task], evaluations: Sequence[Evaluation], label_scales: Mapping[str, float]) -> float:
    """Mean over tasks of the judged metric on ``valid``: larger is better.

    Errors are negated; those of regressions are measured in the label's spread, so that its unit does not decide.
    """
    found = next(evaluation for evaluation in evaluations if evaluation.part == "valid")
    values = []
    for task in tasks:
        value = found.per_task[task.name][task.judged_by]
        if task.judged_by.has_unit:
            value /= label_scales[task.name]
        values.append(value if task.judged_by.higher_is_better else -value)
    return fmean(values)
