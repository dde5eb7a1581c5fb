"""Inputs that give a label away: near-perfect prediction by one column, missing values that tell, equal names.

Such a column is usually filled in after the event (the departure time of a flight that left). These are warnings:
only the data's owner knows when a column becomes known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtnas.data.encoding.encode import EncodedRows
from mtnas.data.problem import Problem
from mtnas.data.schema import DataSchema
from mtnas.tasks import Task, TaskKind

_MAX_ROWS = 50_000
_BINS = 256
_TOO_GOOD = 0.99  # AUC, accuracy, or share of the variance explained, by one column on rows it was not fitted on
_LEAST_COVERED = 0.05  # of the rows with that label, before missing values are said to tell it
_LEAST_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Giveaway:
    """A column that tells a label, and how: ``evidence`` completes "found ..."."""

    column: str
    label: str
    evidence: str

    def to_problem(self) -> Problem:
        """As a warning."""
        return Problem(
            severity="warning",
            expected=f"an input that is known before label {self.label!r} is",
            found=self.evidence,
            where=f"column {self.column!r}",
        )


def find_giveaways(
    schema: DataSchema,
    rows: EncodedRows,
    labels: NDArray[np.float64],
    tasks: Sequence[Task],
    train: NDArray[np.int64],
) -> tuple[Giveaway, ...]:
    """Inputs that alone decide a label, judged on a sample of the training rows.

    Args:
        schema: the inputs' names.
        rows: the encoded inputs of all rows.
        labels: ``[N, T]``.
        tasks: the tasks, in the labels' order.
        train: row numbers to judge by; every k-th is taken where there are many.
    """
    sample = train[:: max(1, -(-len(train) // _MAX_ROWS))]
    found = [
        Giveaway(column=name, label=task.label, evidence=f"a name that equals the label's, {task.label!r}")
        for task in tasks
        for name in schema.columns
        if _plain(name) == _plain(task.label)
    ]
    for name, bins, missing in _columns(schema, rows, sample):
        for index, task in enumerate(tasks):
            labelled = ~np.isnan(labels[sample, index])
            values = labels[sample, index][labelled].astype(np.float64)
            if values.size < 2 * _LEAST_ROWS:
                continue
            score = _score_alone(bins[labelled], values, task.kind)
            if score >= _TOO_GOOD:
                figure = {TaskKind.BINARY: "AUC", TaskKind.MULTICLASS: "accuracy"}.get(task.kind, "R squared")
                evidence = f"that it alone predicts {task.label!r} with {figure} {score:.4f}"
                found.append(Giveaway(column=name, label=task.label, evidence=evidence))
            elif task.kind is TaskKind.BINARY and (told := _told_by_missing(missing[labelled], values)):
                evidence = f"that where it is missing, {task.label!r} is {told}"
                found.append(Giveaway(column=name, label=task.label, evidence=evidence))
    return tuple(found)


def _columns(
    schema: DataSchema, rows: EncodedRows, sample: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.bool_]]]:
    """Name, bin of each sampled row (0 = missing), and whether it is missing."""
    for index, column in enumerate(schema.categorical):
        codes = rows.categorical[sample, index].astype(np.int64)
        yield column.name, codes, codes == 0
    indicator = len(schema.numeric)
    for index, number in enumerate(schema.numeric):
        values = rows.numeric[sample, index].astype(np.float64)
        missing = np.zeros(len(sample), bool)
        if number.indicator:
            missing = rows.numeric[sample, indicator] > 0
            indicator += 1
        yield number.name, np.where(missing, 0, 1 + _binned(values)), missing


def _binned(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Each distinct value its own bin while they are few, else quantiles."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) <= _BINS:
        return codes
    return np.searchsorted(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]), values, side="right")


def _score_alone(bins: NDArray[np.int64], labels: NDArray[np.float64], kind: TaskKind) -> float:
    """How well the label's mean (or commonest class) in each bin, on even rows, predicts it on odd rows."""
    fit_bins, fit_labels, bins, labels = bins[::2], labels[::2], bins[1::2], labels[1::2]
    size = int(max(fit_bins.max(), bins.max())) + 1
    if kind is TaskKind.MULTICLASS:
        classes = int(max(fit_labels.max(), labels.max())) + 1
        counts = np.bincount(fit_bins * classes + fit_labels.astype(np.int64), minlength=size * classes)
        guesses = counts.reshape(size, classes).argmax(axis=1)[bins]
        accuracy = float((guesses == labels).mean())
        commonest = np.bincount(labels.astype(np.int64)).max() / labels.size
        return accuracy if 1 - accuracy < (1 - commonest) / 2 else 0.0
    counts = np.bincount(fit_bins, minlength=size)
    prior = fit_labels.mean()
    means = (np.bincount(fit_bins, weights=fit_labels, minlength=size) + prior) / (counts + 1)
    if kind is TaskKind.BINARY:
        return _auc(means[bins], labels)
    if labels.min() == labels.max():
        return 0.0
    explained = 1 - ((labels - means[bins]) ** 2).mean() / labels.var()
    return float(max(explained, _rank_correlation(bins, labels) ** 2))


def _rank_correlation(bins: NDArray[np.int64], labels: NDArray[np.float64]) -> float:
    """Spearman's: bins are coarse where a label has a long tail, but their order is not."""
    if bins.min() == bins.max():
        return 0.0
    return float(np.corrcoef(_ranks(bins), _ranks(labels))[0, 1])


def _ranks(values: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, equal values sharing their mean rank."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[codes]


def _auc(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Probability that a positive row scores above a negative one, ties counting half."""
    _, codes = np.unique(scores, return_inverse=True)
    positive = np.bincount(codes, weights=labels)
    negative = np.bincount(codes) - positive
    if positive.sum() == 0 or negative.sum() == 0:
        return 0.0
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))


def _told_by_missing(missing: NDArray[np.bool_], labels: NDArray[np.float64]) -> str | None:
    """What the missing rows' label (almost) always is, if that is far from obvious and concerns many."""
    if missing.sum() < _LEAST_ROWS:
        return None
    for value in (1.0, 0.0):
        told = labels == value
        purity, covered, base = told[missing].mean(), missing[told].mean() if told.any() else 0.0, told.mean()
        if purity >= _TOO_GOOD and covered >= _LEAST_COVERED and base <= 0.9:
            return f"{value:g} in {purity:.1%} of rows"
    return None


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
