"""Choosing what to try next weighs what is promising against what is unknown, and does not ask twice."""

from __future__ import annotations

import numpy as np

from mtnas.search.gaussian.acquisition import choose

NOTHING = np.zeros((0, 1))
LINE = np.linspace(0.0, 3.0, 7)[:, None]


def chosen(fresh: list[float], *, pending: list[float] | None = None, count: int = 1) -> list[int]:
    """What is chosen when a wave is known on a line from 0 to 3."""
    values = np.sin(2.0 * LINE)
    known = np.array(pending or []).reshape(-1, 1)
    rng = np.random.default_rng(0)
    return choose(LINE, values, np.array(fresh)[:, None], known, count=count, rng=rng)


def test_of_equally_unknown_points_the_more_promising_is_chosen() -> None:
    assert chosen([2.25, 0.75]) == [1]


def test_of_equally_promising_points_the_less_known_is_chosen() -> None:
    assert chosen([0.501, 6.0, 2.5]) == [1]


def test_a_generation_spreads_out() -> None:
    assert chosen([6.0, 6.001, -3.0], count=2) == [0, 2]


def test_what_is_pending_is_not_asked_again() -> None:
    assert chosen([6.0, -3.0]) == [0]
    assert chosen([6.0, -3.0], pending=[6.0]) == [1]


def test_every_point_is_chosen_at_most_once() -> None:
    assert sorted(chosen([0.1, 0.2, 0.3], count=10)) == [0, 1, 2]
    assert chosen([], count=3) == []


def test_two_objectives_are_both_pursued() -> None:
    values = np.concatenate([LINE, -LINE], axis=1)
    fresh = np.array([[3.3], [-0.3]])
    firsts = [choose(LINE, values, fresh, NOTHING, count=1, rng=np.random.default_rng(seed))[0] for seed in range(12)]
    assert set(firsts) == {0, 1}
