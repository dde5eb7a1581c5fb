"""Greedy selection: what it picks, in which order, and what guards it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mtnas.ensembles.greedy import GreedyRules, Selected, select

TARGET = torch.linspace(-1, 1, 60, dtype=torch.float64)[:, None]
RULES = GreedyRules(least_gain=0.0)


def closeness(predictions_MNO: Tensor) -> Tensor:
    """Minus the mean squared error."""
    return -(predictions_MNO - TARGET).square().mean(dim=(1, 2))


def chosen(*members: Tensor, rules: GreedyRules = RULES, allowed: list[int] | None = None) -> Selected:
    return select(torch.stack(members), closeness, rules, allowed=allowed)


def noisy(seed: int, size: float = 1.0) -> Tensor:
    return TARGET + size * torch.randn(TARGET.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_good_member_is_enough() -> None:
    found = chosen(noisy(0), TARGET, noisy(1))
    assert (found.counts, found.weights) == ({1: 1}, {1: 1.0})


def test_errors_that_cancel_are_picked_together_in_the_right_shares() -> None:
    """Two thirds of one and a third of the other is exactly right, which takes picking one of them twice."""
    error = torch.sin(7 * TARGET)
    found = chosen(TARGET + error, TARGET - 2 * error, TARGET + 5)
    assert found.counts == {0: 2, 1: 1}
    assert found.path[-1] == pytest.approx(0, abs=1e-12)


def test_it_goes_through_a_pick_that_brings_nothing() -> None:
    """Of the first and second, one each is worse than the first alone; two to one is better."""
    error = torch.sin(7 * TARGET)
    members = (TARGET + error, TARGET - 4 * error)
    assert chosen(*members, rules=GreedyRules(least_gain=0.0, patience=0)).counts == {0: 1}
    assert chosen(*members, rules=GreedyRules(least_gain=1e-9)).counts == {0: 4, 1: 1}


@given(seed=st.integers(0, 200), num_members=st.integers(1, 6))
def test_the_ensemble_is_never_below_its_best_member(seed: int, num_members: int) -> None:
    members = [noisy(seed * 10 + member, 0.2 + 0.3 * member) for member in range(num_members)]
    found = chosen(*members)
    assert found.path[-1] >= float(closeness(torch.stack(members)).max())
    assert sum(found.weights.values()) == pytest.approx(1)
    mean = sum(weight * members[member] for member, weight in found.weights.items())
    assert isinstance(mean, Tensor)
    assert float(closeness(mean[None])) == pytest.approx(found.path[-1])


def test_a_gain_below_the_least_is_not_worth_a_larger_set() -> None:
    members = [noisy(seed) for seed in range(6)]
    many = chosen(*members)
    assert sum(many.counts.values()) > 1
    assert sum(chosen(*members, rules=GreedyRules(least_gain=10.0)).counts.values()) == 1


def test_no_more_are_picked_than_are_allowed() -> None:
    members = [noisy(seed) for seed in range(8)]
    assert sum(chosen(*members, rules=GreedyRules(most_picks=3, least_gain=0.0)).counts.values()) <= 3


def test_ties_go_to_the_smaller_set_and_then_to_the_first() -> None:
    same = noisy(3)
    assert chosen(same, same.clone(), same.clone()).counts == {0: 1}


def test_only_allowed_members_are_picked_and_those_without_a_score_never() -> None:
    assert set(chosen(TARGET, noisy(0), noisy(1), allowed=[1, 2]).counts) <= {1, 2}
    assert set(chosen(torch.full_like(TARGET, torch.nan), noisy(0)).counts) == {1}
    with pytest.raises(ValueError, match="no member"):
        chosen(torch.full_like(TARGET, torch.nan))
