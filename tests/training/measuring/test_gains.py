"""Gains have the right sign for every metric."""

from __future__ import annotations

import math

import pytest

from mtnas.tasks import Metric, Task, TaskKind
from mtnas.training.measuring.gains import gain, mean_gain, task_gains, worst_gain


@pytest.mark.parametrize("metric", list(Metric))
def test_better_is_positive_worse_negative_and_equal_zero(metric: Metric) -> None:
    better, worse = (0.9, 0.7) if metric.higher_is_better else (0.7, 0.9)
    assert gain(metric, better, 0.8) == pytest.approx(0.125)
    assert gain(metric, worse, 0.8) == pytest.approx(-0.125)
    assert gain(metric, 0.8, 0.8) == 0


@pytest.mark.parametrize(("value", "reference"), [(math.nan, 0.5), (0.5, math.nan), (0.5, 0.0)])
def test_a_gain_that_cannot_be_told_is_nan(value: float, reference: float) -> None:
    assert math.isnan(gain(Metric.AUC, value, reference))


def test_tasks_are_judged_by_their_own_metric() -> None:
    tasks = (
        Task(name="click", kind=TaskKind.BINARY, label="click"),
        Task(name="time", kind=TaskKind.REGRESSION, label="time"),
    )
    gains = task_gains(
        tasks,
        {"click": {"auc": 0.55, "log_loss": 9.0}, "time": {"rmse": 1.5}},
        {"click": {"auc": 0.5, "log_loss": 1.0}, "time": {"rmse": 1.0}},
    )
    assert gains == pytest.approx({"click": 0.1, "time": -0.5})
    assert mean_gain(gains) == pytest.approx(-0.2)
    assert worst_gain(gains) == pytest.approx(-0.5)


@pytest.mark.parametrize("position", [0, 1])
def test_a_missing_gain_is_not_overlooked(position: int) -> None:
    values = [0.1, 0.2]
    values[position] = math.nan
    gains = dict(zip("ab", values, strict=True))
    assert math.isnan(mean_gain(gains))
    assert math.isnan(worst_gain(gains))
