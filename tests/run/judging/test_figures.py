"""Figures that phases compare."""

from __future__ import annotations

import pytest

from mtnas.run.judging.figures import gains_on, judged, valid_score
from mtnas.tasks import Metric, Task, TaskKind
from mtnas.trials import Evaluation

CLICK = Task(name="click", kind=TaskKind.BINARY, label="click")
SPEND = Task(name="spend", kind=TaskKind.REGRESSION, label="spend")
SORT = Task(name="sort", kind=TaskKind.MULTICLASS, label="sort", num_classes=3, metric=Metric.LOG_LOSS)
TASKS = (CLICK, SPEND, SORT)
SCALES = {"click": 0.5, "spend": 10.0, "sort": 1.0}


def metrics(auc: float, rmse: float, log_loss: float) -> dict[str, dict[str, float]]:
    return {
        "click": {"auc": auc, "log_loss": 0.3},
        "spend": {"rmse": rmse},
        "sort": {"log_loss": log_loss, "accuracy": 0.9},
    }


def test_gains_are_relative_and_positive_where_better() -> None:
    found = gains_on(
        "search",
        TASKS,
        (
            Evaluation(part="valid", per_task=metrics(0.1, 1.0, 1.0)),
            Evaluation(part="search", per_task=metrics(0.9, 8.0, 0.6)),
        ),
        metrics(0.75, 10.0, 0.5),
    )
    gains = (0.2, 0.2, -0.2)
    assert found == pytest.approx(
        {
            "click.auc": 0.9,
            "spend.rmse": 8.0,
            "sort.log_loss": 0.6,
            "mean_gain": sum(gains) / 3,
            "worst_gain": -0.2,
        }
    )


def test_every_task_is_judged_by_its_own_metric() -> None:
    assert judged(TASKS, metrics(0.9, 8.0, 0.6)) == {"click.auc": 0.9, "spend.rmse": 8.0, "sort.log_loss": 0.6}


def test_the_score_on_valid_grows_with_every_improvement() -> None:
    def score(auc: float, rmse: float, log_loss: float) -> float:
        evaluations = (
            Evaluation(part="test", per_task=metrics(0.0, 0.0, 0.0)),
            Evaluation(part="valid", per_task=metrics(auc, rmse, log_loss)),
        )
        return valid_score(TASKS, evaluations, SCALES)

    base = score(0.8, 5.0, 0.7)
    assert base == pytest.approx((0.8 - 0.5 - 0.7) / 3)
    assert score(0.85, 5.0, 0.7) > base
    assert score(0.8, 4.0, 0.7) > base
    assert score(0.8, 5.0, 0.6) > base


def test_the_unit_of_a_regressions_label_does_not_decide() -> None:
    """In cents or in euros, the same candidate is chosen."""
    scores = [
        valid_score((CLICK, SPEND), (Evaluation(part="valid", per_task=metrics(0.8, rmse, 0)),), SCALES | {"spend": s})
        for rmse, s in ((5.0, 10.0), (500.0, 1000.0))
    ]
    assert scores[0] == pytest.approx(scores[1])
