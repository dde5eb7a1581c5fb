"""Boosted trees: what they learn from, how they are tuned and stopped, and every kind of task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.data_spec import DataSpec
from mtnas.run.task_models.tree_settings import FIRST, TreeSettings, tree_settings
from mtnas.run.task_models.trees import TreesWork, boost
from mtnas.tasks import Metric, Task, TaskKind
from tests.run.jobs import PLANTED

TASK = Task(name="t", kind=TaskKind.BINARY, label="task_1")
ONE = (TreeSettings(leaves=7, min_leaf=5),)
WORK = TreesWork(task=TASK, settings=ONE, iterations=10)


def planted(access: DataAccess, *tasks: Task, **options: Any) -> EncodedData:
    source = {"kind": "catalogue", "name": "planted", "options": PLANTED | options}
    return load(DataSpec.model_validate({"source": source}), tasks, access=access)


@pytest.fixture(scope="module")
def data(access: DataAccess) -> EncodedData:
    return planted(access, Task(name="other", kind=TaskKind.BINARY, label="task_0"), TASK)


def test_figures_are_those_of_the_outputs_on_the_parts(data: EncodedData) -> None:
    found = boost(WORK, data, seed=0)
    for part in ("valid", "test"):
        expected = roc_auc_score(data.labels[data.parts[part], 1], found.outputs[part][:, 0])
        assert found.metrics[part]["auc"] == pytest.approx(expected)


@pytest.mark.parametrize("part", ["search", "train"])
def test_trees_are_fitted_on_the_rows_that_networks_retrain_on(part: str, data: EncodedData) -> None:
    labels = data.labels.copy()
    labels[data.parts[part]] = 1 - labels[data.parts[part]]
    assert boost(WORK, data, seed=0).metrics != boost(WORK, replace(data, labels=labels), seed=0).metrics


def test_labels_of_test_are_not_learned_from(data: EncodedData) -> None:
    labels = data.labels.copy()
    labels[data.parts["test"]] = 1 - labels[data.parts["test"]]
    first, second = boost(WORK, data, seed=0), boost(WORK, replace(data, labels=labels), seed=0)
    assert first.outputs["test"].equal(second.outputs["test"])
    assert first.metrics["test"]["auc"] == pytest.approx(1 - second.metrics["test"]["auc"])


def test_settings_are_chosen_on_valid_alone(data: EncodedData) -> None:
    several = (TreeSettings(lr=0.001), *ONE, TreeSettings(lr=1.0))
    alone = {one: boost(replace(WORK, settings=(one,)), data, seed=0) for one in several}
    found = boost(replace(WORK, settings=several), data, seed=0)
    assert found.settings == max(several, key=lambda one: alone[one].metrics["valid"]["auc"])
    assert found.metrics == alone[found.settings].metrics


def test_the_forest_is_cut_where_valid_says(data: EncodedData) -> None:
    """The best number of trees on ``valid``, not the last one: with a huge learning rate the first are best."""
    work = replace(WORK, settings=(TreeSettings(lr=1.0, min_leaf=2),), iterations=40)
    found = boost(work, data, seed=0)
    assert len(found.forest.roots) == found.iterations < 40
    least = boost(replace(work, iterations=1), data, seed=0)
    assert found.metrics["valid"]["auc"] >= least.metrics["valid"]["auc"]


@pytest.mark.parametrize(
    "changed", [{"lr": 0.3}, {"leaves": 3}, {"min_leaf": 60}, {"columns": 0.2}, {"l2": 50.0}], ids=str
)
def test_every_setting_changes_the_trees(changed: dict[str, float], data: EncodedData) -> None:
    other = replace(WORK, settings=(replace(ONE[0], **changed),))
    assert not boost(WORK, data, seed=0).outputs["test"].equal(boost(other, data, seed=0).outputs["test"])


def test_patience_ends_growth_early(data: EncodedData) -> None:
    work = replace(WORK, settings=(TreeSettings(lr=0.5, min_leaf=2),), iterations=200)
    short, long = (boost(replace(work, patience=patience), data, seed=0) for patience in (1, 200))
    assert short.iterations <= long.iterations


def test_the_first_settings_are_the_same_however_many_there_are() -> None:
    assert tree_settings(2) == FIRST[:2]
    assert tree_settings(9)[:6] == tree_settings(6)
    assert len(set(tree_settings(20))) == 20


def test_rows_without_a_label_are_left_out(data: EncodedData) -> None:
    labels = data.labels.copy()
    labels[data.parts["train"][::2], 1] = np.nan
    labels[data.parts["valid"][::3], 1] = np.nan
    found = boost(WORK, replace(data, labels=labels), seed=0)
    assert 0 <= found.metrics["test"]["auc"] <= 1
    assert len(found.outputs["valid"]) == len(data.parts["valid"]), "outputs are for every row"


def test_errors_of_regressions_are_small_when_better(access: DataAccess) -> None:
    task = Task(name="r", kind=TaskKind.REGRESSION, label="task_0")
    data = planted(access, task, kind="regression", rows=1000, waves=0)
    several = tuple(TreeSettings(lr=lr) for lr in (1e-6, 0.1))
    found = boost(TreesWork(task=task, settings=several, iterations=20), data, seed=0)
    assert found.settings.lr == 0.1
    assert found.metrics["test"].keys() == {Metric.RMSE}
    assert found.metrics["test"]["rmse"] < np.std(data.labels[data.parts["test"], 0])


@pytest.mark.parametrize("num_classes", [2, 3, 4])
def test_classes_are_told_apart(num_classes: int, data: EncodedData) -> None:
    """As many classes as there are quantiles of a number; of four, one that no training row has."""
    task = Task(name="c", kind=TaskKind.MULTICLASS, label="task_1", num_classes=num_classes)
    labels = data.labels.copy()
    labels[:, 1] = np.digitize(data.numeric[:, 0], [-0.4, 0.4][: num_classes - 1])
    label = replace(data.schema.labels[1], kind=TaskKind.MULTICLASS)
    changed = replace(data, labels=labels, schema=replace(data.schema, labels=(data.schema.labels[0], label)))
    found = boost(TreesWork(task=task, settings=ONE, iterations=20), changed, seed=0)
    assert found.metrics["test"].keys() == {Metric.ACCURACY, Metric.LOG_LOSS}
    assert found.metrics["valid"]["accuracy"] > 0.9
    assert found.outputs["valid"].shape[1] == num_classes


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
        work = TreesWork(task=task, settings=ONE, iterations=5)
        first, second = boost(work, data, seed=0).metrics, boost(work, changed, seed=0).metrics
        assert (first == second) is (task.name == "yes_or_no")


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> EncodedData:
    """A label that a multi-valued column alone can tell: whether ``x`` is among a row's tags; and a category."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("tags")
    tags = [list(rng.choice(list("abcdefxyz"), size=rng.integers(0, 5), replace=False)) for _ in range(600)]
    category = rng.choice(["red", "green", "blue", "rare"], p=[0.4, 0.3, 0.28, 0.02], size=600)
    columns = {
        "tags": ["|".join(found) for found in tags],
        "colour": category,
        "noise": rng.normal(size=600),
        "label": [int("x" in found) for found in tags],
        "coloured": np.isin(category, ["red", "rare"]).astype(int),
    }
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    spec = {
        "source": {"kind": "file", "paths": [str(folder / "rows.parquet")]},
        "features": [
            {"column": "tags", "kind": "multi_valued", "separator": "|"},
            {"column": "colour", "kind": "categorical"},
            {"column": "noise", "kind": "numeric"},
        ],
    }
    tasks = tuple(Task(name=name, kind=TaskKind.BINARY, label=name) for name in ("label", "coloured"))
    return load(DataSpec.model_validate(spec), tasks, access=DataAccess(cache=folder / "cache", roots=(folder,)))


@pytest.mark.parametrize("name", ["label", "coloured"])
def test_trees_see_multi_valued_columns_and_categories(name: str, tagged: EncodedData) -> None:
    task = Task(name=name, kind=TaskKind.BINARY, label=name)
    found = boost(TreesWork(task=task, settings=ONE, iterations=30), tagged, seed=0)
    assert found.metrics["test"]["auc"] > 0.99
