"""Means, intervals and rank correlations, against worked examples."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import pytest
from scipy import stats

from mtnas.run.judging.statistics import kendall_tau, paired, summary

NOTHING = {"mean": None, "deviation": None}


def test_a_summary_is_mean_and_sample_deviation() -> None:
    found = summary([1.0, 2.0, 4.0])
    assert found == pytest.approx({"mean": 7 / 3, "deviation": math.sqrt(7 / 3)})


def test_a_single_figure_has_no_deviation_and_an_undefined_one_no_mean() -> None:
    assert summary([0.5]) == {"mean": 0.5, "deviation": None}
    assert summary([]) == NOTHING
    assert summary([0.5, math.nan]) == NOTHING  # a mean over the seeds that worked would flatter


def test_paired_differences_have_students_interval() -> None:
    first, second = [0.80, 0.82, 0.85, 0.79, 0.81], [0.78, 0.81, 0.82, 0.79, 0.80]
    differences = [a - b for a, b in zip(first, second, strict=True)]
    found = paired(first, second)
    low, high = stats.t.interval(0.95, 4, loc=fmean(differences), scale=stdev(differences) / math.sqrt(5))
    assert found["mean"] == pytest.approx(fmean(differences))
    assert found["interval"] == pytest.approx([low, high])


def test_swapping_the_sides_of_a_pair_changes_the_sign() -> None:
    first, second = [1.0, 2.0, 4.0], [0.5, 2.5, 3.0]
    one, two = paired(first, second), paired(second, first)
    assert isinstance(one["mean"], float)
    assert isinstance(one["interval"], list)
    assert two["mean"] == pytest.approx(-one["mean"])
    assert two["interval"] == pytest.approx([-one["interval"][1], -one["interval"][0]])


def test_few_pairs_have_no_interval() -> None:
    assert paired([], []) == {"mean": None, "interval": None}
    assert paired([1.0], [0.5]) == {"mean": 0.5, "interval": None}
    assert paired([1.0, math.nan], [0.5, 1.0]) == {"mean": 0.5, "interval": None}


def test_kendalls_tau_is_one_for_equal_orders_and_none_where_undefined() -> None:
    assert kendall_tau([1.0, 2.0, 3.0], [0.1, 0.5, 9.0]) == pytest.approx(1.0)
    assert kendall_tau([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1.0)
    assert kendall_tau([1.0, 2.0, 3.0], [2.0, 1.0, 3.0]) == pytest.approx(1 / 3)
    assert kendall_tau([1.0], [1.0]) is None
    assert kendall_tau([1.0, 1.0], [1.0, 2.0]) is None
