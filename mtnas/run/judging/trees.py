"""Gradient-boosted trees, one per task: what a user would pick instead of any network (PROTOCOL.md point 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtnas.data import EncodedData
from mtnas.tasks import Task, TaskKind
from mtnas.training.measuring.metrics import evaluate_task

MOST_CATEGORIES = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesWork:
    """Boost trees for one task, with each learning rate; the best on ``valid`` counts.

    Attributes:
        task: which task.
        lrs: learning rates to try.
        iterations: trees per class.
        leaves: leaves per tree.
        parts: rows to train on.
        evaluate_on: parts to evaluate on.
    """

    task: Task
    lrs: tuple[float, ...] = (0.05, 0.1)
    iterations: int = 400
    leaves: int = 31
    parts: tuple[str, ...] = ("train", "search")
    evaluate_on: tuple[str, ...] = ("valid", "test")


Metrics = Mapping[str, Mapping[str, float]]


def boost(work: TreesWork, data: EncodedData, seed: int) -> tuple[float, Metrics]:
    """The learning rate that is best on ``valid``, and metrics by part with it.

    Trees see categorical inputs as categories (as numbers above 255 of them), standardised numbers, and no ranges.
    """
    features, categorical = _features(data)
    column = [(label.name, label.kind) for label in data.schema.labels].index((work.task.label, work.task.kind))
    labels = data.labels[:, column]
    rows = np.concatenate([data.parts[part] for part in work.parts])
    rows = rows[~np.isnan(labels[rows])]
    fitted = {}
    for lr in work.lrs:
        model = _model(work, lr, categorical, seed).fit(features[rows], labels[rows])
        fitted[lr] = {part: _metrics(work.task, model, features, labels, data.parts[part]) for part in work.evaluate_on}
    judged, sign = work.task.judged_by, 1 if work.task.judged_by.higher_is_better else -1
    best = max(fitted, key=lambda lr: sign * fitted[lr]["valid"][judged])
    return best, fitted[best]


def _features(data: EncodedData) -> tuple[NDArray[np.float32], list[int]]:
    num_categorical = len(data.schema.categorical)
    codes = data.categorical[:, :num_categorical].astype(np.float32)
    categorical = [c for c in range(num_categorical) if data.inputs.vocabularies[c] <= MOST_CATEGORIES]
    return np.concatenate((codes, data.numeric, data.images), axis=1, dtype=np.float32), categorical


def _model(work: TreesWork, lr: float, categorical: list[int], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if work.task.kind is TaskKind.REGRESSION else HistGradientBoostingClassifier
    return kind(
        learning_rate=lr,
        max_iter=work.iterations,
        max_leaf_nodes=work.leaves,
        categorical_features=categorical or None,
        early_stopping=False,
        random_state=seed,
    )


def _metrics(
    task: Task, model: Any, features: NDArray[np.float32], labels: NDArray[np.float32], rows: NDArray[np.int64]
) -> dict[str, float]:
    match task.kind:
        case TaskKind.REGRESSION:
            outputs = model.predict(features[rows])[:, None]
        case TaskKind.BINARY:
            outputs = model.decision_function(features[rows])[:, None]
        case TaskKind.MULTICLASS:
            outputs = np.full((len(rows), task.num_classes), -30.0)
            outputs[:, model.classes_.astype(np.int64)] = np.log(model.predict_proba(features[rows]) + 1e-12)
    found = evaluate_task(task, torch.tensor(outputs, dtype=torch.float32)[None], torch.tensor(labels[rows]))
    return {str(name): float(value[0]) for name, value in found.items()}
