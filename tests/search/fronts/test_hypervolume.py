"""The hypervolume is the measure of the dominated set: against counting random points, and by its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mtnas.errors import SpecError
from mtnas.search.fronts.hypervolume import coverage, hypervolume
from mtnas.search.fronts.pareto import Points

COORDINATES = st.integers(-1, 6).map(float)
POINTS = arrays.arrays(np.float64, st.tuples(st.integers(0, 12), st.integers(1, 4)), elements=COORDINATES)


@given(POINTS)
def test_on_a_grid_of_whole_numbers_it_counts_the_dominated_cells(points: Points) -> None:
    num_objectives = points.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(6)] * num_objectives, indexing="ij"), axis=-1).reshape(-1, num_objectives)
    dominated = sum(any((cell + 1 <= point).all() for point in points) for cell in cells)
    assert hypervolume(points, np.zeros(num_objectives)) == dominated


@pytest.mark.parametrize("num_objectives", [2, 3, 5])
def test_it_agrees_with_the_share_of_random_points_that_are_dominated(num_objectives: int) -> None:
    rng = np.random.default_rng(num_objectives)
    points = rng.uniform(size=(12, num_objectives))
    darts = rng.uniform(size=(200_000, num_objectives))
    share = np.zeros(len(darts), dtype=bool)
    for point in points:
        share |= (darts <= point).all(axis=1)
    assert hypervolume(points, np.zeros(num_objectives)) == pytest.approx(share.mean(), abs=0.005)  # 4 standard errors


@given(POINTS, st.randoms(use_true_random=False))
def test_order_and_copies_do_not_matter(points: Points, shuffler: object) -> None:
    reference = np.zeros(points.shape[1])
    twice = np.concatenate([points, points[::-1]])
    assert hypervolume(twice, reference) == hypervolume(points, reference)


@given(POINTS)
def test_it_scales_with_every_axis_and_moves_with_the_reference(points: Points) -> None:
    num_objectives = points.shape[1]
    scale = np.array([2.0, 0.5, 4.0, 1.0])[:num_objectives]
    shift = np.array([3.0, -1.0, 7.0, 0.0])[:num_objectives]
    moved = hypervolume(points * scale + shift, shift)
    assert moved == pytest.approx(hypervolume(points, np.zeros(num_objectives)) * float(np.prod(scale)))


def test_failed_points_add_nothing() -> None:
    points = np.array([[1.0, 2.0], [np.nan, 5.0], [np.inf, 5.0], [-np.inf, -np.inf], [-1.0, 9.0]])
    assert hypervolume(points, np.zeros(2)) == 2.0


def test_a_reference_of_another_length_is_refused() -> None:
    with pytest.raises(SpecError, match="reference"):
        hypervolume(np.zeros((2, 4)), np.zeros(3))


def test_coverage_is_measured_from_the_worst_of_the_baselines() -> None:
    points = np.array([[0.0, -10.0], [-1.0, -4.0], [2.0, -6.0], [np.nan, -1.0]])
    found = coverage(points, is_baseline=np.array([True, True, False, True]))
    assert found is not None
    assert found.reference == (-1.0, -10.0)
    assert found.of_all == 3.0 * 4.0
    assert found.of_baselines == 0.0


def test_coverage_needs_two_objectives_and_a_baseline() -> None:
    points = np.array([[0.0, -10.0], [2.0, -6.0]])
    assert coverage(points[:, :1], is_baseline=np.array([True, False])) is None
    assert coverage(points, is_baseline=np.array([False, False])) is None
