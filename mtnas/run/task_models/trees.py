"""Gradient-boosted trees, one per task: what a user would pick instead of any network (PROTOCOL.md point 3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtnas.data import EncodedData
from mtnas.ensembles.forest import Forest
from mtnas.ensembles.table_inputs import TableInputs
from mtnas.run.task_models.counted_rows import Metrics, counted, metrics_of
from mtnas.run.task_models.grown_forest import forest_of
from mtnas.run.task_models.raw_outputs import outputs_of, starting_outputs
from mtnas.run.task_models.tree_settings import TreeSettings, tree_settings
from mtnas.tasks import Task, TaskKind
from mtnas.training.measuring.metrics import evaluate_task

# Of ``valid``, in a random order: those whose loss stops a growing forest, and those that judge it at every stage.
STOPPING_ROWS = 5_000
CURVE_ROWS = 20_000
CHECKED_ROWS = 1_000
STAGES_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesWork:
    """Boost trees for one task with each of several settings; what is best on ``valid`` counts.

    Attributes:
        task: which task.
        settings: what to try.
        iterations: trees per class at most.
        patience: trees without a smaller loss on ``valid`` after which no more are grown.
        parts: rows to train on.
        evaluate_on: parts to evaluate on.
    """

    task: Task
    settings: tuple[TreeSettings, ...] = tree_settings(8)
    iterations: int = 1000
    patience: int = 30
    parts: tuple[str, ...] = ("train", "search")
    evaluate_on: tuple[str, ...] = ("valid", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boosted:
    """The trees that are best on ``valid``.

    Attributes:
        settings: what they were grown with.
        iterations: how many there are, per class.
        metrics: by part.
        outputs: float32 ``[N, O]`` by part: logits, or values.
        forest: the trees themselves.
    """

    settings: TreeSettings
    iterations: int
    metrics: Metrics
    outputs: Mapping[str, Tensor]
    forest: Forest


def boost(work: TreesWork, data: EncodedData, seed: int) -> Boosted:
    """Grow trees with all settings. They see every input; early stopping and choice look at ``valid`` alone.

    Raises:
        TrainingError: the library's trees cannot be read.
    """
    task = work.task
    column = data.schema.label_of(task)
    labels, weights = data.labels[:, column], None if data.weights is None else data.weights[:, column]
    rows, valid = (
        found[~np.isnan(labels[found])]
        for found in (np.concatenate([data.parts[part] for part in work.parts]), data.parts["valid"])
    )
    inputs = TableInputs.of(data, rows)
    features = inputs.matrix(categorical=data.categorical, numeric=data.numeric, bags=data.bags, images=data.images)
    shuffled = np.random.default_rng(seed).permutation(valid)
    stopping, looked_at = shuffled[:STOPPING_ROWS], shuffled[:CURVE_ROWS]
    sign = 1 if task.judged_by.higher_is_better else -1
    best: tuple[float, int, TreeSettings, Any] | None = None
    for settings in work.settings:
        model = _model(work, settings, inputs.categorical, seed)
        fitted, stopped = counted(task, rows, labels, weights), counted(task, stopping, labels, weights)
        model.fit(
            features[fitted.rows],
            fitted.targets,
            fitted.weights,
            X_val=features[stopped.rows],
            y_val=stopped.targets,
            sample_weight_val=stopped.weights,
        )
        curve = sign * _curve(task, model, features, labels, weights, looked_at)
        trees = int(np.argmax(curve)) + 1
        if best is None or curve[trees - 1] > best[0]:
            best = float(curve[trees - 1]), trees, settings, model
    if best is None:
        raise ValueError("no settings to try")
    _, trees, settings, model = best
    checked = features[valid[:CHECKED_ROWS]]
    expected = next(itertools.islice(_stages(task, model, checked), trees - 1, None))
    forest = forest_of(model, task, inputs, iterations=trees, rows=checked, expected=expected)
    outputs = {part: forest.outputs(torch.from_numpy(features[data.parts[part]])) for part in work.evaluate_on}
    metrics = {part: metrics_of(task, out, labels, weights, data.parts[part]) for part, out in outputs.items()}
    return Boosted(
        settings=settings,
        iterations=trees,
        metrics=metrics,
        outputs=outputs,
        forest=forest,
    )


def _model(work: TreesWork, settings: TreeSettings, categorical: list[int], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if work.task.kind is TaskKind.REGRESSION else HistGradientBoostingClassifier
    return kind(
        learning_rate=settings.lr,
        max_iter=work.iterations,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.min_leaf,
        max_features=settings.columns,
        l2_regularization=settings.l2,
        categorical_features=categorical or None,
        early_stopping=True,
        n_iter_no_change=work.patience,
        random_state=seed,
    )


def _stages(task: Task, model: Any, features: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    """Raw outputs ``[N]`` or ``[N, classes]`` after one tree, two, and so on."""
    if task.kind is TaskKind.REGRESSION:
        yield from model.staged_predict(features)
    else:
        yield from model.staged_decision_function(features)


def _curve(
    task: Task,
    model: Any,
    features: NDArray[np.float32],
    labels: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The task's figure on these rows of ``valid`` after one tree, two, and so on."""
    features, labels = features[rows], labels[rows]
    counts = None if weights is None else torch.from_numpy(weights[rows])
    places, figures = outputs_of(model, task), []
    blank = starting_outputs(model, task).float()
    stages, targets = _stages(task, model, features), torch.from_numpy(labels)
    while several := list(itertools.islice(stages, STAGES_AT_ONCE)):
        outputs = blank.repeat(len(several), len(labels), 1)
        for stage, raw in enumerate(several):
            outputs[stage, :, places] = torch.from_numpy(raw.reshape(len(labels), -1)).float()
        found = evaluate_task(task, outputs, targets, counts)
        figures.append(found[task.judged_by].numpy())
    return np.concatenate(figures)
