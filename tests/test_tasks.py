"""Tasks and objectives: defaults by kind, and contradictions refused with the task's name."""

from __future__ import annotations

from typing import Any

import pytest

from mtnas.errors import TaskError
from mtnas.tasks import Direction, Metric, Objective, Task, TaskKind


def task(**changes: Any) -> Task:
    return Task(**({"name": "ctr", "kind": TaskKind.BINARY, "label": "click"} | changes))


@pytest.mark.parametrize(
    ("kind", "num_classes", "metric"),
    [
        (TaskKind.BINARY, 1, Metric.AUC),
        (TaskKind.MULTICLASS, 4, Metric.ACCURACY),
        (TaskKind.REGRESSION, 1, Metric.RMSE),
    ],
)
def test_kind_decides_metric_and_outputs(kind: TaskKind, num_classes: int, metric: Metric) -> None:
    made = task(kind=kind, num_classes=num_classes)
    assert made.judged_by is metric
    assert made.num_outputs == num_classes


@pytest.mark.parametrize("metric", [Metric.LOG_LOSS, Metric.ACCURACY, Metric.AUC])
def test_a_named_metric_wins(metric: Metric) -> None:
    assert task(metric=metric).judged_by is metric


@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("metric", Metric)
def test_metric_of_another_kind_is_refused(kind: TaskKind, metric: Metric) -> None:
    fits = {
        TaskKind.BINARY: {Metric.AUC, Metric.LOG_LOSS, Metric.ACCURACY},
        TaskKind.MULTICLASS: {Metric.ACCURACY, Metric.LOG_LOSS},
        TaskKind.REGRESSION: {Metric.RMSE, Metric.MAE, Metric.PINBALL},
    }[kind]
    num_classes = 3 if kind is TaskKind.MULTICLASS else 1
    if metric in fits:
        assert task(kind=kind, metric=metric, num_classes=num_classes).judged_by is metric
    else:
        with pytest.raises(
            TaskError, match=rf"task 'ctr': expected one of .* as metric of a {kind} task, found {metric}"
        ):
            task(kind=kind, metric=metric, num_classes=num_classes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "click rate"}, "tasks: expected an identifier as the task's name, found 'click rate'"),
        ({"name": ""}, "tasks: expected an identifier"),
        ({"name": "1st"}, "tasks: expected an identifier"),
        ({"weight": 0.0}, "task 'ctr': expected a positive weight, found 0.0"),
        ({"weight": -1.0}, "a positive weight"),
        ({"weight": float("nan")}, "a positive weight"),
        ({"weight": float("inf")}, "a finite weight"),
        ({"tower": (32, 0)}, r"task 'ctr': expected tower widths of at least 1, found \(32, 0\)"),
        ({"num_classes": 3}, "found binary with num_classes=3"),
        ({"num_classes": 0}, "found binary with num_classes=0"),
        ({"num_classes": -2}, "found binary with num_classes=-2"),
        ({"kind": TaskKind.MULTICLASS}, "found multiclass with num_classes=1"),
        ({"kind": TaskKind.REGRESSION, "num_classes": 2}, "found regression with num_classes=2"),
    ],
)
def test_contradiction_is_refused_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        task(**changes)


def test_better_is_the_larger_signed_value() -> None:
    assert Objective(metric="mean_gain", direction=Direction.MAX).signed(3.0) == 3.0
    assert Objective(metric="macs", direction=Direction.MIN).signed(3.0) == -3.0


def test_errors_and_losses_are_better_when_lower() -> None:
    assert {metric for metric in Metric if metric.higher_is_better} == {Metric.AUC, Metric.ACCURACY}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"loss": "huber"}, "for regressions alone"),
        ({"transform": "log1p"}, "for regressions alone"),
        ({"kind": TaskKind.REGRESSION, "delta": 0.0}, "delta"),
        ({"kind": TaskKind.REGRESSION, "quantile": 1.0}, "quantile"),
    ],
)
def test_options_of_regressions_are_checked(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(TaskError, match=expected):
        task(**changes)
