"""Fronts, ranks and crowding agree with their definitions, and are fast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mtnas.errors import SpecError
from mtnas.search.fronts.pareto import Points, best_first, crowding, front, ranks

VALUES = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0, float("nan"), float("inf"), float("-inf")])
POINTS = arrays.arrays(np.float64, st.tuples(st.integers(0, 25), st.integers(1, 4)), elements=VALUES)


def naive_ranks(points: Points) -> list[int]:
    """Peeling by comparing all pairs; points that are not finite go after the last front."""
    left = {index for index in range(len(points)) if np.isfinite(points[index]).all()}
    failed = set(range(len(points))) - left
    rank = {}
    level = 0
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        rank.update(dict.fromkeys(best, level))
        left -= best
        level += 1
    rank.update(dict.fromkeys(failed, level))
    return [rank[index] for index in range(len(points))]


def dominates(first: Points, second: Points) -> bool:
    return bool((first >= second).all() and (first > second).any())


@given(POINTS)
def test_ranks_are_those_of_comparing_all_pairs(points: Points) -> None:
    assert ranks(points).tolist() == naive_ranks(points)


@given(POINTS)
def test_the_front_is_the_finite_points_of_rank_zero(points: Points) -> None:
    expected = (np.array(naive_ranks(points), dtype=int) == 0) & np.isfinite(points).all(axis=1)
    assert front(points).tolist() == expected.tolist()


@given(POINTS)
def test_the_best_order_holds_every_point_once_and_never_puts_a_dominated_one_first(points: Points) -> None:
    order = best_first(points)
    assert sorted(order.tolist()) == list(range(len(points)))
    assert (np.diff(ranks(points)[order]) >= 0).all()


@given(POINTS.filter(lambda points: points.shape[1] == 1))
def test_with_one_objective_the_best_order_is_that_of_the_values(points: Points) -> None:
    values = np.where(np.isfinite(points[:, 0]), points[:, 0], -np.inf)
    assert values[best_first(points)].tolist() == sorted(values.tolist(), reverse=True)


def test_crowding_is_the_side_length_of_the_neighbours_box() -> None:
    points = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 1.0], [4.0, 0.0]])
    assert crowding(points).tolist() == [np.inf, 2 / 4 + 3 / 4, 3 / 4 + 3 / 4, np.inf]


def test_among_equals_the_less_crowded_comes_first() -> None:
    points = np.array([[1.0, 3.0], [0.0, 4.0], [2.0, 1.0], [4.0, 0.0], [-1.0, -1.0]])
    assert best_first(points).tolist() == [1, 3, 2, 0, 4]


@pytest.mark.parametrize("make", ["normal", "one long front"])
def test_fifty_thousand_points_are_peeled_into_fronts(make: str) -> None:
    """By what a peeled front is: nobody in it dominates another, and each is dominated by one of the front before.

    Pairwise comparison would take minutes; how fast sorting is, ``benchmarks/fronts.py`` says.
    """
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50_000, 2))
    if make == "one long front":
        points[:, 1] = -points[:, 0]
    rank = ranks(points)
    assert front(points).tolist() == (rank == 0).tolist()
    assert set(rank.tolist()) == set(range(int(rank.max()) + 1))
    before = np.empty((0, 2))
    for of in range(int(rank.max()) + 1):
        members = points[rank == of]
        members = members[np.argsort(members[:, 0])]
        assert (np.diff(members[:, 0]) > 0).all()
        assert (np.diff(members[:, 1]) < 0).all()
        if of:
            # of those before that lie as far right or farther, the leftmost is the highest
            right = np.searchsorted(before[:, 0], members[:, 0])
            assert (right < len(before)).all()
            assert (before[right, 1] >= members[:, 1]).all()
        before = members


@pytest.mark.parametrize("function", [front, ranks])
def test_a_vector_is_no_set_of_points(function: object) -> None:
    with pytest.raises(SpecError, match="N, M"):
        function(np.zeros(3))  # type: ignore[operator]
