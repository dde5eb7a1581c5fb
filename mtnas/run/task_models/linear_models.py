"""Linear models: logistic or ridge regression, a task each, with the penalty that is best on ``valid``.

On tables of a few hundred rows nothing else is as good, and on larger ones they see what networks average away.

Legend: N rows, F columns, O outputs of a task.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtnas.data import EncodedData
from mtnas.ensembles.linear import Linear, places_of
from mtnas.ensembles.table_inputs import TableInputs
from mtnas.run.task_models.counted_rows import Metrics, counted, metrics_of
from mtnas.run.task_models.raw_outputs import outputs_of, starting_outputs
from mtnas.tasks import Task, TaskKind

MOST_ROWS = 100_000  # to fit on: more make no difference to so few numbers
MOST_STEPS = 300
PENALTIES = (1e4, 1e3, 1e2, 1e1, 1.0, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearWork:
    """Fit a linear model of one task with each of several penalties; what is best on ``valid`` counts.

    Attributes:
        task: which task.
        penalties: on half the squared weights, beside the sum of the rows' losses.
        parts: rows to fit on.
        evaluate_on: parts to evaluate on.
    """

    task: Task
    penalties: tuple[float, ...] = PENALTIES
    parts: tuple[str, ...] = ("train", "search")
    evaluate_on: tuple[str, ...] = ("valid", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The model that is best on ``valid``.

    Attributes:
        penalty: what it was fitted with.
        metrics: by part.
        outputs: float32 ``[N, O]`` by part: logits, or values.
        model: the numbers.
    """

    penalty: float
    metrics: Metrics
    outputs: Mapping[str, Tensor]
    model: Linear


def fit_linear(work: LinearWork, data: EncodedData, seed: int) -> Fitted:
    """Fit with all penalties, the largest first; the choice looks at ``valid`` alone."""
    task = work.task
    column = data.schema.label_of(task)
    labels, weights = data.labels[:, column], None if data.weights is None else data.weights[:, column]
    rows = np.concatenate([data.parts[part] for part in work.parts])
    rows = rows[~np.isnan(labels[rows])]
    inputs = TableInputs.of(data, rows)
    features = inputs.matrix(categorical=data.categorical, numeric=data.numeric, bags=data.bags, images=data.images)
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])
    fitted = counted(task, chosen, labels, weights)
    columns = _Columns.of(inputs, features[chosen])
    design = columns.design(features[fitted.rows])
    sign = 1 if task.judged_by.higher_is_better else -1
    best: tuple[float, float, Linear] | None = None
    for penalty in work.penalties:
        model = _model(task, penalty)
        with warnings.catch_warnings():  # one that has not come to rest is judged like the others
            warnings.simplefilter("ignore")
            model.fit(design, fitted.targets, sample_weight=fitted.weights)
        found = columns.linear(model, task, inputs)
        told = found.outputs(torch.from_numpy(features[data.parts["valid"]]))
        score = sign * metrics_of(task, told, labels, weights, data.parts["valid"])[task.judged_by]
        if best is None or score > best[0] or math.isnan(best[0]):
            best = score, penalty, found
    if best is None:
        raise ValueError("no penalties to try")
    _, penalty, linear = best
    outputs = {part: linear.outputs(torch.from_numpy(features[data.parts[part]])) for part in work.evaluate_on}
    metrics = {part: metrics_of(task, out, labels, weights, data.parts[part]) for part, out in outputs.items()}
    return Fitted(penalty=penalty, metrics=metrics, outputs=outputs, model=linear)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Columns:
    """How a matrix becomes what the library fits: an indicator for every category, other columns standardised."""

    first: NDArray[np.int64]
    sizes: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @staticmethod
    def of(inputs: TableInputs, matrix_NF: NDArray[np.float32]) -> _Columns:
        first, sizes = (places.numpy() for places in places_of(inputs))
        numbers = matrix_NF[:, len(sizes) :].astype(np.float64)
        deviation = numbers.std(axis=0)
        return _Columns(
            first=first, sizes=sizes, mean=numbers.mean(axis=0), scale=np.where(deviation > 0, deviation, np.inf)
        )

    def design(self, matrix_NF: NDArray[np.float32]) -> Any:
        """Sparse where there are categories."""
        from scipy import sparse

        num_categorical = len(self.sizes)
        numbers = (matrix_NF[:, num_categorical:] - self.mean) / self.scale
        if not num_categorical:
            return numbers
        codes = matrix_NF[:, :num_categorical].astype(np.int64)
        places = np.where(codes < self.sizes, codes, 0) + self.first
        begins = np.arange(len(codes) + 1) * num_categorical
        shape = (len(codes), int(self.sizes.sum()))
        indicators = sparse.csr_matrix((np.ones(places.size), places.reshape(-1), begins), shape=shape)
        return sparse.hstack([indicators, sparse.csr_matrix(numbers)], format="csr")

    def linear(self, model: Any, task: Task, inputs: TableInputs) -> Linear:
        """What the library found, for matrices as they are."""
        outputs, num_values = outputs_of(model, task), int(self.sizes.sum())
        learned_OF = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
        weight_OD = learned_OF[:, num_values:] / self.scale
        bias = starting_outputs(model, task)
        added = np.asarray(model.intercept_, dtype=np.float64).reshape(-1) - weight_OD @ self.mean
        bias[outputs] = torch.from_numpy(added)
        table = torch.zeros(num_values, task.num_outputs, dtype=torch.float64)
        weight = torch.zeros(weight_OD.shape[1], task.num_outputs, dtype=torch.float64)
        table[:, outputs] = torch.from_numpy(learned_OF[:, :num_values].T.copy())
        weight[:, outputs] = torch.from_numpy(weight_OD.T.copy())
        first, sizes = places_of(inputs)
        return Linear(inputs=inputs, first=first, sizes=sizes, table=table, weight=weight, bias=bias)


def _model(task: Task, penalty: float) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if task.kind is TaskKind.REGRESSION:
        return Ridge(alpha=penalty)
    return LogisticRegression(C=1 / penalty, max_iter=MOST_STEPS)
