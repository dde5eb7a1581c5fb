"""Boosted trees: what they learn from, how they are chosen, and every kind of task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.data_spec import DataSpec
from mtnas.run.judging.trees import TreesWork, boost
from mtnas.tasks import Metric, Task, TaskKind
from tests.run.jobs import PLANTED

TASK = Task(name="t", kind=TaskKind.BINARY, label="task_1")
WORK = TreesWork(task=TASK, lrs=(0.1,), iterations=10, leaves=7)


def planted(access: DataAccess, *tasks: Task, **options: Any) -> EncodedData:
    source = {"kind": "catalogue", "name": "planted", "options": PLANTED | options}
    return load(DataSpec.model_validate({"source": source}), tasks, access=access)


@pytest.fixture(scope="module")
def data(access: DataAccess) -> EncodedData:
    return planted(access, Task(name="other", kind=TaskKind.BINARY, label="task_0"), TASK)


def test_trees_are_fitted_on_the_rows_that_networks_retrain_on(data: EncodedData) -> None:
    _, found = boost(WORK, data, seed=0)
    rows = np.concatenate([data.parts["train"], data.parts["search"]])
    model = HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=10, max_leaf_nodes=7, early_stopping=False, random_state=0
    ).fit(data.numeric[rows], data.labels[rows, 1])
    for part in ("valid", "test"):
        chances = model.predict_proba(data.numeric[data.parts[part]])[:, 1]
        assert found[part]["auc"] == pytest.approx(roc_auc_score(data.labels[data.parts[part], 1], chances))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_labels_of_other_parts_are_not_learned_from(part: str, data: EncodedData) -> None:
    labels = data.labels.copy()
    labels[data.parts[part]] = 1 - labels[data.parts[part]]
    other = "test" if part == "valid" else "valid"
    assert boost(WORK, data, seed=0)[1][other] == boost(WORK, replace(data, labels=labels), seed=0)[1][other]


def test_the_learning_rate_is_chosen_on_valid_alone(data: EncodedData) -> None:
    rates = (0.001, 0.1, 1.0)
    alone = {lr: boost(replace(WORK, lrs=(lr,)), data, seed=0)[1] for lr in rates}
    lr, found = boost(replace(WORK, lrs=rates), data, seed=0)
    assert lr == max(rates, key=lambda rate: alone[rate]["valid"]["auc"])
    assert found == alone[lr]


def test_rows_without_a_label_are_left_out(data: EncodedData) -> None:
    labels = data.labels.copy()
    labels[data.parts["train"][::2], 1] = np.nan
    _, found = boost(WORK, replace(data, labels=labels), seed=0)
    assert 0 <= found["test"]["auc"] <= 1


def test_errors_of_regressions_are_small_when_better(access: DataAccess) -> None:
    task = Task(name="r", kind=TaskKind.REGRESSION, label="task_0")
    data = planted(access, task, kind="regression", rows=1000, waves=0)
    rates = (1e-6, 0.1)
    lr, found = boost(TreesWork(task=task, lrs=rates, iterations=20), data, seed=0)
    assert lr == 0.1
    assert found["test"].keys() == {Metric.RMSE}
    assert found["test"]["rmse"] < np.std(data.labels[data.parts["test"], 0])


def test_classes_are_told_apart(access: DataAccess) -> None:
    """A binary column read as two classes."""
    task = Task(name="c", kind=TaskKind.MULTICLASS, label="task_0", num_classes=2)
    data = planted(access, task)
    _, found = boost(TreesWork(task=task, lrs=(0.1,), iterations=20), data, seed=0)
    assert found["test"].keys() == {Metric.ACCURACY, Metric.LOG_LOSS}
    assert found["valid"]["accuracy"] >= 0.4


def test_tasks_of_different_kinds_may_read_one_column(access: DataAccess) -> None:
    """As a number and as a class: each task finds its own labels."""
    tasks = (
        Task(name="number", kind=TaskKind.REGRESSION, label="task_0"),
        Task(name="yes_or_no", kind=TaskKind.BINARY, label="task_0"),
    )
    data = planted(access, *tasks)
    labels = data.labels.copy()
    labels[:, 0] = labels[:, 0] * 100 - 7
    changed = replace(data, labels=labels)
    for task in tasks:
        work = TreesWork(task=task, lrs=(0.1,), iterations=5)
        first, second = boost(work, data, seed=0)[1], boost(work, changed, seed=0)[1]
        assert (first == second) is (task.name == "yes_or_no")
