"""Shares over draws of rows: fewer lucky members, the same shares for the same seed, nobody who says little."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtnas.ensembles.draws_of_rows import MOST_DRAWS, MOST_ROWS, half_each, row_draws, shares_over_draws, trimmed
from mtnas.ensembles.greedy import GreedyRules, Score, select
from mtnas.ensembles.mixture import score_of
from mtnas.tasks import Task, TaskKind
from mtnas.training.measuring.metrics import auc

TASK = Task(name="late", kind=TaskKind.BINARY, label="late")
RULES = GreedyRules()


def problem(seed: int, *, num_rows: int = 2000, members: int = 12) -> tuple[Tensor, Tensor]:
    """Labels, and members of the same worth whose errors are their own."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(num_rows, generator=generator) < 0.15).double()
    noise = torch.randn(members, num_rows, 1, generator=generator, dtype=torch.float64)
    return labels, labels[None, :, None] * 0.7 + noise


def score_on(labels: Tensor, rows: Tensor) -> Score:
    return score_of(TASK, labels[rows])


def shares(labels: Tensor, said: Tensor, rows: Tensor, seed: int = 0) -> dict[int, float]:
    labels, said = labels[rows], said[:, rows]
    draws = row_draws(len(rows), said.shape[0], generator=torch.Generator().manual_seed(seed))
    return shares_over_draws(said, lambda at: score_on(labels, at), RULES, draws, allowed=range(len(said)))


def test_on_few_rows_draws_choose_better_than_the_rows_themselves() -> None:
    """The property that it is there for: on rows that nobody chose on, over ten problems."""
    gains = []
    for seed in range(10):
        labels, said = problem(seed)
        few, others = torch.arange(150), torch.arange(150, len(labels))
        once = select(said[:, few], score_on(labels, few), RULES).weights
        drawn = shares(labels, said, few)
        one, many = (sum(w * said[m, others, 0] for m, w in found.items()) for found in (once, drawn))
        assert isinstance(one, Tensor)
        assert isinstance(many, Tensor)
        gains.append(float(auc(many[None], labels[others])[0]) - float(auc(one[None], labels[others])[0]))
    assert sum(gains) / len(gains) > 0.01
    assert sum(gain > 0 for gain in gains) >= 8


def test_shares_add_up_and_depend_on_the_seed_alone() -> None:
    labels, said = problem(0)
    rows = torch.arange(300)
    first = shares(labels, said, rows, seed=1)
    assert first == shares(labels, said, rows, seed=1)
    assert first != shares(labels, said, rows, seed=2)
    assert sum(first.values()) == pytest.approx(1)


def test_draws_that_cannot_judge_are_left_out_and_none_is_no_error() -> None:
    _, said = problem(0, num_rows=50)
    assert shares(torch.zeros(50, dtype=torch.float64), said, torch.arange(50)) == {}
    one = torch.zeros(50, dtype=torch.float64)
    one[7] = 1.0  # a third of the draws have no positive row
    assert sum(shares(one, said, torch.arange(50)).values()) == pytest.approx(1)


def test_many_rows_are_drawn_once_and_no_more_than_anybody_needs() -> None:
    def draws(num_rows: int, num_figures: int) -> list[Tensor]:
        return row_draws(num_rows, num_figures, generator=torch.Generator().manual_seed(0))

    assert len(draws(200, 50)) == MOST_DRAWS
    assert len(draws(2_000, 100)) == 5, "as many as the work allows"
    (whole,) = draws(40_000, 1000)
    assert whole.equal(torch.arange(40_000)), "one draw with replacement would leave a third of the rows out"
    (some,) = draws(MOST_ROWS + 5, 2)
    assert len(some.unique()) == MOST_ROWS


def test_half_a_share_is_the_tasks_own() -> None:
    assert half_each({0: 1.0}, {1: 0.5, 2: 0.5}) == {0: 0.5, 1: 0.25, 2: 0.25}
    assert half_each({}, {1: 1.0}) == {1: 1.0}


def test_members_that_say_little_are_left_out_and_the_others_add_up() -> None:
    found = trimmed({"a": {0: 0.69, 1: 0.3, 2: 0.01}, "b": {0: 0.4, 1: 0.59, 2: 0.01}}, most_members=8)
    assert found["a"] == pytest.approx({0: 0.69 / 0.99, 1: 0.3 / 0.99})
    assert found["b"] == pytest.approx({0: 0.4 / 0.99, 1: 0.59 / 0.99})
    assert trimmed({"a": {0: 0.6, 1: 0.4}, "b": {0: 0.6, 1: 0.4}}, most_members=1) == {"a": {0: 1.0}, "b": {0: 1.0}}
