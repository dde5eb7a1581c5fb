"""How well tasks are done, for all candidates at once and on their device.

Legend: K pack, N rows, C classes. Rows whose label is NaN do not count. A result is NaN where it is undefined: no
labelled row, a class without rows (AUC), or an output that is NaN on a labelled row (a diverged candidate).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional

from mtnas.errors import TrainingError
from mtnas.tasks import Metric, Task, TaskKind
from mtnas.units import MOST_LOGARITHM, Transform, Unit

ELEMENTS_AT_ONCE = 2**24  # bounds the float64 and int64 temporaries of one evaluation at about 1 GiB


def evaluate_task(
    task: Task, outputs_KNC: Tensor, labels_N: Tensor, weights_N: Tensor | None = None
) -> dict[str, Tensor]:
    """The metric a task is judged by, and the one that resembles its loss.

    Args:
        task: decides which metrics.
        outputs_KNC: logits, or values of a regression, ``[K, N, task.num_outputs]``.
        labels_N: NaN where a row has no label.
        weights_N: how much each labelled row counts; ``None`` counts all alike.

    Returns:
        ``[K]`` in float64 by metric name: the judged metric, and log-loss (RMSE for regressions). Errors of regressions
        are in the label's own unit, which outputs and labels are turned back to (``task.unit``).

    Raises:
        TrainingError: shapes that do not fit.
    """
    loss_like = Metric.RMSE if task.kind is TaskKind.REGRESSION else Metric.LOG_LOSS
    return _measured(task, outputs_KNC, labels_N, weights_N, dict.fromkeys((task.judged_by, loss_like)))


def judge_task(task: Task, outputs_KNC: Tensor, labels_N: Tensor, weights_N: Tensor | None = None) -> Tensor:
    """The judged metric alone, ``[K]``; see ``evaluate_task``."""
    return _measured(task, outputs_KNC, labels_N, weights_N, (task.judged_by,))[task.judged_by]


def _measured(
    task: Task, outputs_KNC: Tensor, labels_N: Tensor, weights_N: Tensor | None, wanted: Iterable[Metric]
) -> dict[str, Tensor]:
    if outputs_KNC.ndim != 3 or outputs_KNC.shape[-1] != task.num_outputs:
        raise TrainingError(
            expected=f"outputs [K, N, {task.num_outputs}]",
            found=str(tuple(outputs_KNC.shape)),
            where=f"evaluation of task {task.name!r}",
        )
    outputs = outputs_KNC if task.kind is TaskKind.MULTICLASS else outputs_KNC.squeeze(-1)
    if task.kind is TaskKind.REGRESSION and not task.unit.is_own:
        outputs, labels_N = in_own_unit(outputs.detach(), task.unit), in_own_unit(labels_N, task.unit)
    return {metric: _measure(metric, outputs, labels_N, weights_N, task) for metric in wanted}


def in_own_unit(targets: Tensor, unit: Unit) -> Tensor:
    """Targets as labels, in float64."""
    values = targets.double() * unit.scale + unit.mean
    return values.clamp(max=MOST_LOGARITHM).expm1() if unit.transform is Transform.LOG1P else values


def auc(scores_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None = None, *, soft: bool = False) -> Tensor:
    """Area under the ROC curve, exact: a tie counts one half. ``[K]`` in float64.

    The area is counted in integers, twice the number of (positive, negative) pairs in the right order, so nothing
    is rounded before the last division, below 100 million rows.

    Args:
        scores_KN: any increasing function of the probability.
        labels_N: 0, 1 or NaN.
        weights_N: of the rows; a pair counts with the product of both weights.
        soft: labels are probabilities: a row is a positive to that share, and a negative to the rest.
    """
    measure = _weighted_auc if soft or weights_N is not None else _auc
    return _by_candidates(measure, scores_KN, labels_N, weights_N, num_axes=2)


def log_loss(logits: Tensor, labels_N: Tensor, weights_N: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood per labelled row, ``[K]`` in float64.

    Args:
        logits: ``[K, N]`` of a binary task, or ``[K, N, C]`` of a multiclass one.
        labels_N: 0, 1 or NaN; class numbers or NaN.
    """
    if logits.ndim == 2:
        return _by_candidates(_binary_log_loss, logits, labels_N, weights_N, num_axes=2)
    return _by_candidates(_multiclass_log_loss, logits, labels_N, weights_N, num_axes=3)


def accuracy(logits: Tensor, labels_N: Tensor, weights_N: Tensor | None = None) -> Tensor:
    """Share of labelled rows whose likeliest class is the label, ``[K]`` in float64.

    Args:
        logits: ``[K, N]`` of a binary task (positive means class 1), or ``[K, N, C]`` of a multiclass one.
        labels_N: 0, 1 or NaN; class numbers or NaN.
    """
    if logits.ndim == 2:
        return _by_candidates(_binary_accuracy, logits, labels_N, weights_N, num_axes=2)
    return _by_candidates(_multiclass_accuracy, logits, labels_N, weights_N, num_axes=3)


def rmse(values_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None = None) -> Tensor:
    """Root of the mean squared error over the labelled rows, ``[K]`` in float64, in the labels' unit."""
    return _by_candidates(_rmse, values_KN, labels_N, weights_N, num_axes=2)


def pinball(values_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None = None, *, quantile: float) -> Tensor:
    """Mean pinball loss over the labelled rows, ``[K]`` in float64, in the labels' unit: least at their quantile.

    Koenker and Bassett, 1978, eq. 2.5. Twice the loss of the median is the mean absolute error.
    """

    def measure(values: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        missed = labels.double() - values.double()
        return _mean_over_labelled(torch.maximum(quantile * missed, (quantile - 1) * missed), labels, weights)

    return _by_candidates(measure, values_KN, labels_N, weights_N, num_axes=2)


def _measure(metric: Metric, outputs: Tensor, labels_N: Tensor, weights_N: Tensor | None, task: Task) -> Tensor:
    match metric:
        case Metric.AUC:
            return auc(outputs, labels_N, weights_N, soft=task.soft)
        case Metric.LOG_LOSS:
            return log_loss(outputs, labels_N, weights_N)
        case Metric.ACCURACY:
            return accuracy(outputs, labels_N, weights_N)
        case Metric.RMSE:
            return rmse(outputs, labels_N, weights_N)
        case Metric.MAE:
            return 2 * pinball(outputs, labels_N, weights_N, quantile=0.5)
        case Metric.PINBALL:
            return pinball(outputs, labels_N, weights_N, quantile=task.quantile)


def _by_candidates(
    measure: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    outputs: Tensor,
    labels_N: Tensor,
    weights_N: Tensor | None,
    *,
    num_axes: int,
) -> Tensor:
    """Check shapes, then measure as many candidates at a time as the memory bound allows."""
    if outputs.ndim != num_axes or labels_N.ndim != 1 or outputs.shape[1] != labels_N.shape[0]:
        raise TrainingError(
            expected=f"outputs of {num_axes} axes [K, N, ...] and labels [N]",
            found=f"{tuple(outputs.shape)} and {tuple(labels_N.shape)}",
            where="metric",
        )
    if outputs.shape[0] == 0:
        raise TrainingError(expected="at least one candidate", found="none", where="metric")
    at_once = max(1, ELEMENTS_AT_ONCE // max(1, outputs[0].numel()))
    return torch.cat([measure(part, labels_N, weights_N) for part in torch.split(outputs.detach(), at_once)])


def _auc(scores_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    sorted_KN, order_KN = scores_KN.sort(dim=1)
    positives_KN = (labels_N == 1)[order_KN].cumsum(1)
    negatives_KN = (labels_N == 0)[order_KN].cumsum(1)
    ends_a_tie = functional.pad(sorted_KN[:, 1:] != sorted_KN[:, :-1], (0, 1), value=True)
    doubled_area_KN = (positives_KN - _at_tie_before(positives_KN, ends_a_tie)) * (
        negatives_KN + _at_tie_before(negatives_KN, ends_a_tie)
    )
    doubled_area_K = doubled_area_KN.mul_(ends_a_tie).sum(1)
    num_pairs = (labels_N == 1).sum() * (labels_N == 0).sum()
    return _finite_only(doubled_area_K.double() / (2 * num_pairs).double(), scores_KN.isnan(), labels_N)


def _weighted_auc(scores_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    """The same area where rows are positive and negative by weights, in float64."""
    labelled_N, shares_N = ~labels_N.isnan(), labels_N.double().nan_to_num(0.0)
    counts_N = labelled_N.double() if weights_N is None else torch.where(labelled_N, weights_N.double(), 0.0)
    sorted_KN, order_KN = scores_KN.sort(dim=1)
    positives_KN = (counts_N * shares_N)[order_KN].cumsum(1)
    negatives_KN = (counts_N * (1 - shares_N))[order_KN].cumsum(1)
    ends_a_tie = functional.pad(sorted_KN[:, 1:] != sorted_KN[:, :-1], (0, 1), value=True)
    doubled_KN = (positives_KN - _at_tie_before(positives_KN, ends_a_tie)) * (
        negatives_KN + _at_tie_before(negatives_KN, ends_a_tie)
    )
    pairs_K = positives_KN[:, -1] * negatives_KN[:, -1]
    return _finite_only((doubled_KN * ends_a_tie).sum(1) / (2 * pairs_K), scores_KN.isnan(), labels_N)


def _at_tie_before(counts_KN: Tensor, ends_a_tie: Tensor) -> Tensor:
    """The running count at the end of the tie group before each row's own; counts never fall, so a maximum finds it."""
    return functional.pad((counts_KN * ends_a_tie).cummax(1).values[:, :-1], (1, 0))


def _binary_log_loss(logits_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    targets = labels_N.nan_to_num(0.0).double().expand(logits_KN.shape)
    losses = functional.binary_cross_entropy_with_logits(logits_KN.double(), targets, reduction="none")
    return _mean_over_labelled(losses, labels_N, weights_N)


def _multiclass_log_loss(logits_KNC: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    log_chances_KNC = functional.log_softmax(logits_KNC.double(), dim=-1)
    targets = labels_N.nan_to_num(0.0).long().expand(logits_KNC.shape[:2])
    return _mean_over_labelled(-log_chances_KNC.gather(2, targets[..., None]).squeeze(2), labels_N, weights_N)


def _binary_accuracy(logits_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    hits = torch.where(logits_KN > 0, labels_N, 1 - labels_N).double()
    return _finite_only(_mean_over_labelled(hits, labels_N, weights_N), logits_KN.isnan(), labels_N)


def _multiclass_accuracy(logits_KNC: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    hits = (logits_KNC.argmax(-1) == labels_N.nan_to_num(-1.0)).double()
    return _finite_only(_mean_over_labelled(hits, labels_N, weights_N), logits_KNC.isnan().any(-1), labels_N)


def _rmse(values_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    return _mean_over_labelled((values_KN.double() - labels_N.double()).square(), labels_N, weights_N).sqrt()


def _mean_over_labelled(values_KN: Tensor, labels_N: Tensor, weights_N: Tensor | None) -> Tensor:
    """Zero rows give 0/0: NaN."""
    labelled_N = ~labels_N.isnan()
    if weights_N is None:
        return torch.where(labelled_N, values_KN, 0.0).sum(1) / labelled_N.sum()
    weights_N = torch.where(labelled_N, weights_N.double(), 0.0)
    return (torch.where(labelled_N, values_KN, 0.0) * weights_N).sum(1) / weights_N.sum()


def _finite_only(results_K: Tensor, is_nan_KN: Tensor, labels_N: Tensor) -> Tensor:
    """NaN for candidates that gave a NaN on a labelled row."""
    return torch.where((is_nan_KN & ~labels_N.isnan()).any(1), torch.nan, results_K)
