"""Halving plans cut what they promise, never keep the worse for the better, and ASHA promotes each candidate once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtnas.errors import SpecError
from mtnas.search.budgets.halving_plan import Rung, candidate_steps, rungs, survivors

PLANS = st.tuples(st.integers(1, 300), st.integers(1, 5000), st.integers(1, 5000), st.integers(2, 5)).filter(
    lambda plan: plan[2] <= plan[1]
)
SCORES = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, float("nan"), float("-inf")]), max_size=30)


def column(scores: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(scores, dtype=np.float64).reshape(-1, 1)


def test_nine_candidates_by_three() -> None:
    plan = rungs(num_candidates=9, max_steps=900, min_steps=100, reduction=3)
    assert plan == (Rung(steps=100, keep=3), Rung(steps=300, keep=1))
    assert candidate_steps(plan, num_candidates=9, max_steps=900) == 9 * 100 + 3 * 200 + 600


def test_a_late_first_rung_means_fewer_cuts() -> None:
    assert rungs(num_candidates=27, max_steps=900, min_steps=250) == (Rung(steps=300, keep=9),)


@given(PLANS)
def test_rungs_climb_and_cut_and_save(plan: tuple[int, int, int, int]) -> None:
    num_candidates, max_steps, min_steps, reduction = plan
    found = rungs(num_candidates=num_candidates, max_steps=max_steps, min_steps=min_steps, reduction=reduction)
    keeps = [num_candidates, *(rung.keep for rung in found)]
    steps = [*(rung.steps for rung in found), max_steps]
    assert all(before // after >= reduction for before, after in pairwise(keeps))
    assert all(before * reduction <= after for before, after in pairwise(steps))
    assert keeps[-1] >= 1
    assert all(step >= min_steps for step in steps)
    total = candidate_steps(found, num_candidates=num_candidates, max_steps=max_steps)
    assert (total < num_candidates * max_steps) == bool(found)


@pytest.mark.parametrize(
    ("num_candidates", "max_steps", "min_steps", "reduction"), [(0, 9, 1, 3), (9, 9, 0, 3), (9, 9, 10, 3), (9, 9, 1, 1)]
)
def test_numbers_out_of_range_are_refused(num_candidates: int, max_steps: int, min_steps: int, reduction: int) -> None:
    with pytest.raises(SpecError, match="halving"):
        rungs(num_candidates=num_candidates, max_steps=max_steps, min_steps=min_steps, reduction=reduction)


@given(SCORES, st.integers(0, 30))
def test_survivors_are_the_best_and_never_failed(scores: list[float], keep: int) -> None:
    chosen = survivors(column(scores), keep=keep)
    usable = [score for score in scores if np.isfinite(score)]
    assert len(chosen) == min(keep, len(usable))
    assert sorted(scores[place] for place in chosen) == sorted(usable)[len(usable) - len(chosen) :]
    assert list(chosen) == sorted(set(chosen))


def test_with_two_objectives_the_front_survives() -> None:
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0], [0.6, 0.6], [0.5, 0.5]])
    assert survivors(scores, keep=3) == (0, 1, 3)
