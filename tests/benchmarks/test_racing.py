"""Races: ratios compare what ran in the same round."""

from __future__ import annotations

from benchmarks.racing import ratio


def test_a_ratio_is_the_median_over_rounds() -> None:
    speeds = {"one": [2.0, 30.0, 8.0], "other": [1.0, 3.0, 2.0]}
    assert ratio(speeds, "one", "other") == 4.0
