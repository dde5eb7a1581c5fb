"""Metrics against scikit-learn, over ties, missing labels and packs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from mtnas.errors import TrainingError
from mtnas.tasks import Loss, Metric, Task, TaskKind
from mtnas.training.measuring import metrics
from mtnas.training.measuring.metrics import evaluate_task
from mtnas.units import Unit

SEEDS = range(12)


def _labels(rng: np.random.Generator, num_rows: int, *, num_classes: int = 2) -> torch.Tensor:
    """Every class present, about a fifth of the rows unlabelled."""
    labels = rng.integers(num_classes, size=num_rows).astype(np.float32)
    labels[rng.random(num_rows) < 0.2] = np.nan
    labels[:num_classes] = np.arange(num_classes)
    return torch.from_numpy(labels)


def _labelled(labels: torch.Tensor) -> np.ndarray:
    return ~np.isnan(labels.numpy())


@pytest.mark.parametrize("num_levels", [1, 2, 5, 1000])
@pytest.mark.parametrize("seed", SEEDS)
def test_auc_equals_the_oracle_with_ties_and_missing_labels(seed: int, num_levels: int) -> None:
    rng = np.random.default_rng(seed)
    num_rows = int(rng.integers(2, 300))
    labels = _labels(rng, num_rows)
    scores = torch.from_numpy(rng.integers(num_levels, size=(3, num_rows)).astype(np.float32) - 0.3 * num_levels)
    mask = _labelled(labels)
    expected = [oracle.roc_auc_score(labels.numpy()[mask], row[mask]) for row in scores.numpy()]
    np.testing.assert_allclose(metrics.auc(scores, labels).numpy(), expected, rtol=1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_counts_pairs_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = _labels(rng, 60)
    scores = torch.from_numpy(rng.integers(8, size=60).astype(np.float64))
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
    wins = (positive > negative).sum().item() + 0.5 * (positive == negative).sum().item()
    assert metrics.auc(scores[None], labels).item() == wins / (positive.numel() * negative.numel())


def test_auc_keeps_every_pair_of_millions_of_rows() -> None:
    """Alternating labels in score order: of the n positives, the i-th beats i negatives, in closed form exactly."""
    num_pairs = 1_500_000
    scores = torch.arange(2 * num_pairs, dtype=torch.float64)
    labels = (torch.arange(2 * num_pairs) % 2).float()
    expected = (num_pairs * (num_pairs + 1) // 2) / num_pairs**2
    assert metrics.auc(scores[None], labels).item() == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_knows_only_the_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = _labels(rng, 200)
    scores = torch.from_numpy(rng.integers(20, size=(2, 200)).astype(np.float64))
    order = torch.from_numpy(rng.permutation(200))
    area = metrics.auc(scores, labels)
    assert torch.equal(metrics.auc(scores.exp() + 3, labels), area)
    assert torch.equal(metrics.auc(scores[:, order], labels[order]), area)
    torch.testing.assert_close(metrics.auc(-scores, labels), 1 - area, rtol=0, atol=1e-15)


def test_infinite_scores_and_signed_zeros_tie_as_equal_numbers_do() -> None:
    labels = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    scores = torch.tensor([[-math.inf, -math.inf, 0.0, -0.0, math.inf, math.inf]])
    assert metrics.auc(scores, labels).item() == (0.5 + 1.5 + 2.5) / 9


@pytest.mark.parametrize("present", [0.0, 1.0, math.nan])
def test_auc_is_nan_when_a_class_is_absent(present: float) -> None:
    assert metrics.auc(torch.rand(2, 5), torch.full((5,), present)).isnan().all()


def test_a_diverged_candidate_is_nan_and_leaves_the_others_alone() -> None:
    rng = np.random.default_rng(0)
    labels = _labels(rng, 50)
    logits = torch.from_numpy(rng.normal(size=(3, 50)))
    broken = logits.clone()
    broken[1, 0] = math.nan
    for measure in (metrics.auc, metrics.log_loss, metrics.accuracy, metrics.rmse):
        expected = measure(logits, labels)
        expected[1] = math.nan
        torch.testing.assert_close(measure(broken, labels), expected, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_outputs_on_unlabelled_rows_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = _labels(rng, 80)
    logits = torch.from_numpy(rng.normal(size=(2, 80)))
    other = torch.where(labels.isnan(), torch.tensor(math.nan), logits)
    for measure in (metrics.auc, metrics.log_loss, metrics.accuracy, metrics.rmse):
        assert torch.equal(measure(logits, labels), measure(other, labels))


@pytest.mark.parametrize("seed", SEEDS)
def test_binary_log_loss_and_accuracy_equal_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = _labels(rng, 120)
    logits = torch.from_numpy(rng.normal(scale=3, size=(4, 120)))
    mask = _labelled(labels)
    truth = labels.numpy()[mask]
    losses = [oracle.log_loss(truth, row[mask]) for row in torch.sigmoid(logits).numpy()]
    hits = [oracle.accuracy_score(truth, row[mask] > 0) for row in logits.numpy()]
    np.testing.assert_allclose(metrics.log_loss(logits, labels).numpy(), losses, rtol=1e-12)
    np.testing.assert_allclose(metrics.accuracy(logits, labels).numpy(), hits, rtol=1e-15)


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("seed", SEEDS)
def test_multiclass_log_loss_and_accuracy_equal_the_oracle(seed: int, num_classes: int) -> None:
    rng = np.random.default_rng(seed)
    labels = _labels(rng, 90, num_classes=num_classes)
    logits = torch.from_numpy(rng.normal(scale=3, size=(2, 90, num_classes)))
    mask = _labelled(labels)
    truth = labels.numpy()[mask]
    losses = [oracle.log_loss(truth, row[mask]) for row in torch.softmax(logits, -1).numpy()]
    hits = [oracle.accuracy_score(truth, row[mask].argmax(-1)) for row in logits.numpy()]
    np.testing.assert_allclose(metrics.log_loss(logits, labels).numpy(), losses, rtol=1e-12)
    np.testing.assert_allclose(metrics.accuracy(logits, labels).numpy(), hits, rtol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_rmse_equals_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = _labels(rng, 70)
    values = torch.from_numpy(rng.normal(size=(3, 70)))
    mask = _labelled(labels)
    expected = [oracle.root_mean_squared_error(labels.numpy()[mask], row[mask]) for row in values.numpy()]
    np.testing.assert_allclose(metrics.rmse(values, labels).numpy(), expected, rtol=1e-12)


def test_log_loss_of_float32_logits_is_summed_in_float64() -> None:
    """A million rows of loss log 2: a float32 sum is wrong in the sixth digit."""
    loss = metrics.log_loss(torch.zeros(1, 1_000_000), torch.ones(1_000_000)).item()
    assert loss == pytest.approx(math.log(2), rel=1e-13)


def test_a_candidate_measures_the_same_in_any_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    labels = _labels(rng, 40)
    logits = torch.from_numpy(rng.normal(size=(7, 40)).astype(np.float32))
    together = [measure(logits, labels) for measure in (metrics.auc, metrics.log_loss)]
    monkeypatch.setattr(metrics, "ELEMENTS_AT_ONCE", 80)
    chunked = [measure(logits, labels) for measure in (metrics.auc, metrics.log_loss)]
    for whole, part in zip(together, chunked, strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    ("task", "names"),
    [
        (Task(name="a", kind=TaskKind.BINARY, label="a"), {"auc", "log_loss"}),
        (Task(name="a", kind=TaskKind.BINARY, label="a", metric=Metric.ACCURACY), {"accuracy", "log_loss"}),
        (Task(name="a", kind=TaskKind.BINARY, label="a", metric=Metric.LOG_LOSS), {"log_loss"}),
        (Task(name="a", kind=TaskKind.MULTICLASS, label="a", num_classes=3), {"accuracy", "log_loss"}),
        (Task(name="a", kind=TaskKind.REGRESSION, label="a"), {"rmse"}),
    ],
)
def test_a_task_gets_its_judged_metric_and_the_one_like_its_loss(task: Task, names: set[str]) -> None:
    labels = torch.tensor([0.0, 1.0, math.nan, 1.0])
    figures = metrics.evaluate_task(task, torch.randn(2, 4, task.num_outputs), labels)
    assert set(figures) == names
    assert next(iter(figures)) == task.judged_by
    assert all(figure.shape == (2,) and figure.dtype == torch.float64 for figure in figures.values())
    assert not any(figure.isnan().any() for figure in figures.values())


def test_shapes_that_do_not_fit_are_refused() -> None:
    task = Task(name="a", kind=TaskKind.BINARY, label="a")
    with pytest.raises(TrainingError, match=r"expected outputs \[K, N, 1\]"):
        metrics.evaluate_task(task, torch.zeros(2, 4, 3), torch.zeros(4))
    with pytest.raises(TrainingError, match=r"\(2, 4\) and \(5,\)"):
        metrics.auc(torch.zeros(2, 4), torch.zeros(5))


@given(seed=st.integers(0, 99), quantile=st.sampled_from([0.1, 0.5, 0.9]))
def test_errors_of_a_regression_are_in_the_labels_unit(seed: int, quantile: float) -> None:
    rng = np.random.default_rng(seed)
    unit = Unit(mean=1000.0, scale=300.0)
    targets, outputs = rng.normal(size=40), rng.normal(size=(2, 40, 1))
    targets[::5] = np.nan
    labelled = ~np.isnan(targets)
    missed = unit.labels(targets[labelled]) - unit.labels(outputs[:, labelled, 0])
    expected = {
        Metric.RMSE: np.sqrt((missed**2).mean(1)),
        Metric.MAE: np.abs(missed).mean(1),
        Metric.PINBALL: np.where(missed > 0, quantile * missed, (quantile - 1) * missed).mean(1),
    }
    for metric, values in expected.items():
        task = Task(name="y", kind=TaskKind.REGRESSION, label="y", metric=metric, quantile=quantile, unit=unit)
        found = evaluate_task(task, torch.tensor(outputs), torch.tensor(targets))
        assert found.keys() == {metric, Metric.RMSE}
        np.testing.assert_allclose(found[metric].numpy(), values, rtol=1e-12)


def test_a_quantile_is_judged_by_its_own_loss() -> None:
    task = Task(name="y", kind=TaskKind.REGRESSION, label="y", loss=Loss.QUANTILE)
    assert task.judged_by is Metric.PINBALL
    assert not Metric.PINBALL.higher_is_better
