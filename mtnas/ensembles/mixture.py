"""What an ensemble says: probabilities averaged over members, values averaged; and how good that is.

Legend: M members, N rows, O outputs of a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mtnas.ensembles.greedy import Score
from mtnas.tasks import Metric, Task, TaskKind
from mtnas.training.measuring.metrics import evaluate_task, judge_task

LEAST_CHANCE = 1e-12


def chances(task: Task, outputs: Tensor) -> Tensor:
    """Logits ``[..., O]`` as probabilities; values of a regression as they are. Float64."""
    match task.kind:
        case TaskKind.BINARY:
            return outputs.double().sigmoid()
        case TaskKind.MULTICLASS:
            return outputs.double().softmax(dim=-1)
        case TaskKind.REGRESSION:
            return outputs.double()


def mixture(task: Task, outputs_MNO: Tensor, weights: Sequence[float]) -> Tensor:
    """The ensemble's outputs ``[N, O]``: logits of the weighted mean of probabilities, or the weighted mean of values.

    It never leaves the logarithms, so that a probability next to 0 or 1 keeps its digits.
    """
    shares_M11 = torch.tensor(weights, dtype=outputs_MNO.dtype, device=outputs_MNO.device)[:, None, None]
    match task.kind:
        case TaskKind.BINARY:
            yes, no = (
                (functional.logsigmoid(sign * outputs_MNO) + shares_M11.log()).logsumexp(dim=0) for sign in (1, -1)
            )
            return yes - no
        case TaskKind.MULTICLASS:
            return (functional.log_softmax(outputs_MNO, dim=-1) + shares_M11.log()).logsumexp(dim=0)
        case TaskKind.REGRESSION:
            return (outputs_MNO * shares_M11).sum(dim=0)


def score_of(task: Task, labels_N: Tensor, *, scale: float = 1.0, weights_N: Tensor | None = None) -> Score:
    """The score of probabilities or values ``[M, N, O]`` in the metric that the task is judged by; larger is better.

    Args:
        task: decides the metric.
        labels_N: NaN where a row has none.
        scale: what an error is measured in.
        weights_N: how much a row counts; ``None`` where all count alike.
    """
    sign = 1.0 if task.judged_by.higher_is_better else -1.0
    unit = scale if task.judged_by.has_unit else 1.0
    labelled = ~labels_N.isnan()
    counts = None if weights_N is None else weights_N[labelled]

    def score(predictions_MNO: Tensor) -> Tensor:
        outputs_MNO = _outputs(task, predictions_MNO[:, labelled])
        return sign * judge_task(task, outputs_MNO, labels_N[labelled], counts) / unit

    return score


def figures_of(
    task: Task, outputs_NO: Tensor, labels_N: Tensor, weights_N: Tensor | None = None
) -> Mapping[str, float]:
    """Metrics of one ensemble's outputs."""
    found = evaluate_task(task, outputs_NO[None], labels_N, weights_N)
    return {str(name): float(value[0]) for name, value in found.items()}


def _outputs(task: Task, predictions: Tensor) -> Tensor:
    """Logits of probabilities."""
    match task.kind:
        case TaskKind.BINARY if task.judged_by is Metric.AUC:
            return predictions  # the order is all that counts
        case TaskKind.BINARY:
            return predictions.clamp(LEAST_CHANCE, 1 - LEAST_CHANCE).logit()
        case TaskKind.MULTICLASS:
            return predictions.clamp(min=LEAST_CHANCE).log()
        case TaskKind.REGRESSION:
            return predictions
