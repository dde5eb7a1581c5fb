"""What a report proves, in sentences: each follows from figures, and what is not known is not spoken of."""

from __future__ import annotations

from typing import Any

import pytest

from mtnas.reports.evidence import evidence
from mtnas.run.judging.verdict import CHEAP


def row(label: str, **gains: float | None) -> dict[str, Any]:
    return {"label": label, "per_task": {task: {"gain": {"mean": gain}} for task, gain in gains.items()}}


SEARCH: dict[str, Any] = {
    "searches": 1,
    "routes_found": None,
    "device_seconds": 12.34,
    "multiple_of_shared_bottom": 4.21,
    "kendall_tau": 0.5,
    "kendall_n": 6,
    "inherited_tau": None,
    "inherited_n": 0,
}
REPORT: dict[str, Any] = {
    "best": {"label": "finalist-2"},
    "rows": [row("mmoe", a=0.5, b=-0.5), row("finalist-2", a=0.02, b=-0.01)],
    "search": SEARCH,
}


def test_a_report_of_one_search_says_that_its_intervals_are_narrower() -> None:
    said = evidence(REPORT)
    assert said[0].startswith("There was one search")
    assert "A search took 12.3 device-seconds, 4.2 trainings of one shared-bottom network." in said
    assert [words for words in said if "tau" in words] == [
        "Scores of the search against those after retraining: Kendall's tau 0.50 over n = 6 routes."
    ]


def test_the_worst_task_is_that_of_the_answer_and_of_all_searches_where_there_are_several() -> None:
    assert "The worst task is b: -1.00 % over a network of its own." in evidence(REPORT)
    several = REPORT | {"rows": [*REPORT["rows"], row("searches", a=-0.03, b=0.01)]}
    several |= {"search": SEARCH | {"searches": 10, "routes_found": 7}}
    said = evidence(several)
    assert said[0].startswith("10 independent searches")
    assert "7 different routes" in said[0]
    assert "The worst task is a: -3.00 % over a network of its own." in said


@pytest.mark.parametrize(
    ("share", "holds", "expected"),
    [
        (0.45, True, "Non-inferior to mmoe (margin 0.001) at 45% of the multiply-accumulates."),
        (CHEAP, False, "Not shown to be non-inferior to mmoe (margin 0.001), at 60% of the multiply-accumulates."),
        (0.9, False, "Non-inferiority is not asked: 90% of the multiply-accumulates of mmoe, more than 60%."),
    ],
)
def test_non_inferiority_is_told_in_each_of_its_ways(share: float, holds: bool, expected: str) -> None:
    found = {"against": "mmoe", "macs_ratio": share, "margin": 0.001, "holds": holds}
    assert expected in evidence(REPORT | {"non_inferior": found})


def test_what_each_step_brought_is_told_where_an_ensemble_knows() -> None:
    brought = {"route": {"mean_gain": 0.01}, "averaging": {"mean_gain": -0.002}, "selection": {"mean_gain": None}}
    said = evidence(REPORT | {"ensemble": {"hand_made": "mmoe", "brought": brought}})
    assert said[-1] == (
        "Over mmoe, of the same recipe, mean gain changes by: the route +1.00 %, averaging its seeds -0.20 %."
    )


def test_an_empty_report_proves_nothing() -> None:
    assert evidence({}) == []


def test_the_ensemble_without_the_search_is_told_of() -> None:
    rival = {"label": "unsearched", "members": 6, "candidates": 8, "mean_gain": {"mean": 0.012}}
    together = {"brought": {"search": {"mean_gain": -0.001}}, "rivals": [rival], "candidates": 14}
    assert evidence(REPORT | {"ensemble": together})[-1] == (
        "Without what the search found, the best ensemble has 6 of 8 candidates and a mean gain of +1.20 %; "
        "the answer, of 14, has -0.10 % more, for its routes or for its larger choice."
    )
