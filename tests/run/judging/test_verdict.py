"""Verdicts: what figures prove and what they do not, in words and in a recommendation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mtnas.run.judging.statistics import holm, signed_rank_p
from mtnas.run.judging.verdict import Level, Standing, judge

NOISE = (0.0011, -0.0007, 0.0004, -0.0012, 0.0009, 0.0002, -0.0003, 0.0013, -0.0008, 0.0006)


def standing(label: str, mean: float, *, macs: int | None = 1000, seeds: int = 10, wave: float = 1.0) -> Standing:
    """An entrant whose gains lie about a mean; ``wave`` tells entrants' noise apart."""
    gains = {seed: mean + wave * NOISE[seed] for seed in range(seeds)}
    return Standing(
        label=label,
        macs=macs,
        valid_score=mean,
        gains=gains,
        task_gains={"a": list(gains.values()), "b": [0.0] * seeds},
    )


ALONE = standing("single_task", 0.0, wave=0.0)


def verdict(level: Level, winner: Standing, *rivals: Standing, **changes: Any) -> dict[str, Any]:
    baselines = [ALONE, *(rival for rival in rivals if rival.label != "random")]
    random = next((rival for rival in rivals if rival.label == "random"), None)
    return judge(level, winner, baselines, random, **changes)


def test_ten_wins_out_of_ten_have_the_smallest_p_there_is() -> None:
    assert signed_rank_p([0.1 * n for n in range(1, 11)]) == pytest.approx(2 / 2**10)
    assert signed_rank_p([0.1 * n for n in range(1, 6)]) == pytest.approx(0.0625), "why five seeds prove nothing"


def test_no_difference_and_undefined_ones_prove_nothing() -> None:
    assert signed_rank_p([0.0, 0.0]) is None
    assert signed_rank_p([math.nan]) is None


def test_holm_multiplies_the_smallest_the_most_and_keeps_the_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_quick_job_gives_no_verdict() -> None:
    found = verdict("quick", standing("finalist-1", 0.1), standing("random", 0.0))
    assert (found["verdict"], found["recommendation"]) == (None, None)
    assert "protocol.level" in found["verdict_reason"]


def test_a_winner_above_both_rivals_is_better_and_taken() -> None:
    found = verdict("headline", standing("finalist-1", 0.02), standing("mmoe", 0.01, wave=0.5), standing("random", 0.0))
    assert found["verdict"] == "better"
    assert [h["against"] for h in found["hypotheses"]] == ["mmoe", "random"]
    assert all(h["p_holm"] < 0.05 for h in found["hypotheses"])
    assert found["recommendation"]["take"] == "finalist-1"


def test_one_rival_that_is_level_leaves_the_verdict_open() -> None:
    found = verdict("headline", standing("finalist-1", 0.02), standing("mmoe", 0.01), standing("random", 0.02, wave=-1))
    assert found["verdict"] == "not_distinguishable"


def test_a_winner_below_the_best_baseline_is_worse() -> None:
    found = verdict("headline", standing("finalist-1", 0.0, wave=0.5), standing("mmoe", 0.02), standing("random", -0.1))
    assert found["verdict"] == "worse"
    assert "finalist-1 is worse than mmoe" in found["words"][0]


def test_the_cheaper_of_two_that_are_level_is_taken() -> None:
    winner, rival = standing("finalist-1", 0.02), standing("mmoe", 0.02, wave=-1.0, macs=400)
    assert verdict("standard", winner, rival)["recommendation"]["take"] == "mmoe"
    assert verdict("standard", winner, standing("mmoe", 0.02, wave=-1.0, macs=4000))["recommendation"]["take"] == (
        "finalist-1"
    )


def test_tasks_that_do_not_help_each_other_are_to_be_trained_alone() -> None:
    found = verdict("standard", standing("finalist-1", 0.0), standing("mmoe", 0.0, wave=-1.0))
    assert found["recommendation"]["take"] == "single_task"
    assert "train the tasks alone" in found["recommendation"]["why"]


def test_no_worse_at_half_the_cost_is_a_win_of_its_own() -> None:
    rival = standing("mmoe", 0.0202, wave=0.9)
    cheap = verdict("headline", standing("finalist-1", 0.02, macs=500), rival)["non_inferior"]
    assert (cheap["holds"], cheap["macs_ratio"]) == (True, 0.5)
    assert not verdict("headline", standing("finalist-1", 0.02, macs=700), rival)["non_inferior"]["holds"]
    assert not verdict("headline", standing("finalist-1", 0.018, macs=500), rival)["non_inferior"]["holds"]


def test_a_task_that_is_worse_off_than_alone_is_named() -> None:
    winner = standing("finalist-1", -0.02)
    assert verdict("standard", winner, standing("mmoe", -0.03))["negative_transfer"] == ["a"]


def test_trees_above_the_answer_are_told_of() -> None:
    above, below = (standing("boosted_trees", mean, macs=None) for mean in (0.03, 0.01))
    assert any("boosted trees" in w for w in verdict("standard", standing("finalist-1", 0.02), models=[above])["words"])
    assert not any("searched" in w for w in verdict("standard", standing("finalist-1", 0.02), models=[below])["words"])


def test_trees_can_be_the_best_baseline_but_are_never_recommended() -> None:
    trees = standing("boosted_trees", 0.03, macs=None)
    found = verdict("headline", standing("finalist-1", 0.02), models=[trees])
    assert found["hypotheses"][0]["against"] == "boosted_trees"
    assert found["recommendation"]["take"] != "boosted_trees"


def test_seeds_that_failed_leave_the_others_paired() -> None:
    found = verdict("standard", standing("finalist-1", 0.02), standing("mmoe", 0.01, seeds=4, wave=0.5))
    assert found["hypotheses"][0]["seeds"] == 4


def test_a_single_seed_cannot_be_compared() -> None:
    found = verdict("standard", standing("finalist-1", 0.02, seeds=1), standing("mmoe", 0.01, seeds=1))
    assert found["verdict"] == "not_distinguishable"
    assert "cannot be compared" in found["words"][0]
