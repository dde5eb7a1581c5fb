"""What an ensemble says is the mean of its members' probabilities, to the last digit of extreme ones."""

from __future__ import annotations

import pytest
import torch

from mtnas.ensembles.mixture import chances, figures_of, mixture, score_of
from mtnas.tasks import Metric, Task, TaskKind

BINARY = Task(name="b", kind=TaskKind.BINARY, label="b")
LIKELY = Task(name="l", kind=TaskKind.BINARY, label="l", metric=Metric.LOG_LOSS)
CLASSES = Task(name="c", kind=TaskKind.MULTICLASS, label="c", num_classes=3)
VALUE = Task(name="v", kind=TaskKind.REGRESSION, label="v")
SHARES = [0.5, 0.3, 0.2]


@pytest.mark.parametrize("task", [BINARY, CLASSES, VALUE], ids=lambda task: str(task.kind))
def test_probabilities_and_values_are_averaged(task: Task) -> None:
    outputs = 3 * torch.randn(3, 50, task.num_outputs, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.einsum("mno,m->no", chances(task, outputs), torch.tensor(SHARES, dtype=torch.float64))
    torch.testing.assert_close(chances(task, mixture(task, outputs, SHARES)), expected)


def test_extreme_logits_keep_their_digits() -> None:
    outputs = torch.tensor([[[60.0], [-60.0]], [[62.0], [-62.0]]])
    found = mixture(BINARY, outputs, [0.5, 0.5])
    assert found.isfinite().all()
    assert found[0, 0] == pytest.approx(-float(found[1, 0]))
    assert 60 < float(found[0, 0]) < 62


def test_rows_count_by_their_weights() -> None:
    outputs, labels = torch.tensor([[3.0], [-3.0], [1.0]]), torch.tensor([1.0, 1.0, 0.0])
    none, some = (figures_of(LIKELY, outputs, labels, torch.tensor([1.0, w, 1.0]))["log_loss"] for w in (0.0, 1.0))
    assert none < some
    scores = [score_of(LIKELY, labels, weights_N=torch.tensor([1.0, w, 1.0])) for w in (0.0, 1.0)]
    assert float(scores[0](chances(LIKELY, outputs[None]))[0]) == pytest.approx(-none)
    assert float(scores[1](chances(LIKELY, outputs[None]))[0]) == pytest.approx(-some)


@pytest.mark.parametrize("task", [BINARY, LIKELY, CLASSES, VALUE], ids=lambda task: task.name)
def test_the_score_is_the_judged_metric_with_larger_as_better(task: Task) -> None:
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn(2, 80, task.num_outputs, generator=generator)
    labels = torch.randint(0, 2, (80,), generator=generator).float()
    labels[::7] = torch.nan
    found = score_of(task, labels, scale=2.0)(chances(task, outputs))
    for member in range(2):
        value = figures_of(task, outputs[member], labels)[task.judged_by]
        expected = value if task.judged_by.higher_is_better else -value
        assert float(found[member]) == pytest.approx(expected / (2.0 if task.judged_by.has_unit else 1.0), rel=1e-5)
