"""A row of weight two is two rows: in losses, in figures, and in what is learnt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mtnas.tasks import Metric, Task, TaskKind
from mtnas.training.feeding.streamed import StreamedData
from mtnas.training.measuring.metrics import evaluate_task
from mtnas.training.step.losses import task_losses
from mtnas.trials import Settings
from tests.training.problem import TASKS, Arrays, arrays, resident, routes_of_one_shape, trained, trainer
from tests.training.recipes import float64

KINDS = [
    Task(name="y", kind=TaskKind.BINARY, label="y"),
    Task(name="y", kind=TaskKind.BINARY, label="y", metric=Metric.ACCURACY),
    Task(name="y", kind=TaskKind.REGRESSION, label="y", metric=Metric.MAE),
    Task(name="y", kind=TaskKind.MULTICLASS, label="y", num_classes=3),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted(Arrays):
    """Rows that count differently."""

    weights: npt.NDArray[np.float32]


def drawn(task: Task, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs ``[2, N, O]`` with ties, labels ``[N]`` and whole weights ``[N]``."""
    rng = np.random.default_rng(seed)
    outputs = torch.tensor(rng.normal(size=(2, 40, task.num_outputs)).round(1))
    labels = rng.normal(size=40) if task.kind is TaskKind.REGRESSION else rng.integers(0, max(2, task.num_classes), 40)
    labels = torch.tensor(labels, dtype=torch.float64)
    labels[::9] = torch.nan
    return outputs, labels, torch.tensor(rng.integers(1, 4, 40)).double()


@pytest.mark.parametrize("task", KINDS, ids=lambda task: f"{task.kind}-{task.judged_by}")
@pytest.mark.parametrize("seed", range(4))
def test_a_weighted_figure_is_that_of_repeated_rows(task: Task, seed: int) -> None:
    outputs, labels, weights = drawn(task, seed)
    times = weights.long()
    repeated = evaluate_task(task, outputs.repeat_interleave(times, 1), labels.repeat_interleave(times))
    for metric, values in evaluate_task(task, outputs, labels, weights).items():
        torch.testing.assert_close(values, repeated[metric], rtol=1e-12, atol=1e-12)


def test_a_soft_label_is_a_one_and_a_zero_by_shares() -> None:
    task = replace(KINDS[0], soft=True)
    outputs, _, _ = drawn(task, 0)
    soft = torch.tensor(np.random.default_rng(1).random(40))
    hard = torch.cat([torch.ones(40), torch.zeros(40)]).double()
    shares = torch.cat([soft, 1 - soft])
    for metric in (Metric.AUC, Metric.LOG_LOSS, Metric.ACCURACY):
        judged = replace(task, metric=metric)
        found = evaluate_task(judged, outputs, soft)[metric]
        doubled = evaluate_task(replace(judged, soft=False), outputs.repeat(1, 2, 1), hard, shares)[metric]
        torch.testing.assert_close(found, doubled, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_weighted_loss_is_the_mean_of_the_rows_losses_by_weight(seed: int) -> None:
    found, weights = [drawn(task, seed) for task in KINDS], drawn(KINDS[0], seed)[2]
    outputs, labels = [one[0] for one in found], torch.stack([one[1] for one in found], dim=1)[None]
    given = weights[None, :, None].expand(-1, -1, len(KINDS))
    losses = task_losses(outputs, labels, KINDS, given)
    rows = torch.stack(
        [task_losses([o[:, r : r + 1] for o in outputs], labels[:, r : r + 1], KINDS) for r in range(40)]
    )
    expected = (rows * weights[:, None, None]).sum(0) / (~labels[0].isnan()).sum(0)
    torch.testing.assert_close(losses, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        task_losses(outputs, labels, KINDS, torch.ones_like(given)), task_losses(outputs, labels, KINDS)
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_weights_change_what_is_learnt_and_even_ones_nothing(streamed: bool) -> None:
    graph, routes = routes_of_one_shape(1)
    plain = arrays()

    def weights_after(weights: npt.NDArray[np.float32] | None) -> torch.Tensor:
        fields = {name: getattr(plain, name) for name in ("categorical", "numeric", "bags", "labels", "parts")}
        found = plain if weights is None else Weighted(weights=weights, **fields)
        kind = StreamedData if streamed else None
        data = resident(found) if kind is None else kind.of(found, torch.device("cpu"), dtype=torch.float64)
        pack = trainer(graph, routes, [Settings(lr=0.01, seed=1)], float64(epochs=1), data=data, tasks=TASKS)
        return torch.cat([tensor.flatten() for tensor in trained(pack).values()])

    even = weights_after(np.ones_like(plain.labels))
    torch.testing.assert_close(even, weights_after(None), rtol=1e-9, atol=1e-12)
    uneven = np.random.default_rng(0).exponential(1, plain.labels.shape).astype(np.float32)
    assert not torch.allclose(even, weights_after(uneven), atol=1e-4)
