"""What a search over shared weights proposes is trained alone; random search brings as many finalists; task groups."""

from __future__ import annotations

from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.run import MemoryJournal
from mtnas.search.known_schemes import partitions
from tests.lean import NO_MODELS
from tests.run.jobs import SMALL, STEPS, run, spec_of

SEARCH: dict[str, Any] = {**SMALL["search"], "screen": 5}
PROTOCOL: dict[str, Any] = {
    "level": "quick",
    **NO_MODELS,
    "baselines": ["shared_bottom"],
    "seeds": 1,
    "finalists": 2,
}


@pytest.fixture(scope="module")
def done(access: DataAccess) -> tuple[dict[str, Any], MemoryJournal]:
    journal = MemoryJournal()
    spec = spec_of(search=SEARCH, protocol=PROTOCOL | {"random_search": True})
    return dict(run(spec, journal, access)), journal


def test_finalists_are_the_best_that_were_trained_alone(done: tuple[dict[str, Any], MemoryJournal]) -> None:
    report, journal = done
    screened = [t for t in journal.trials() if t.label == "screened"]
    assert len({t.route_digest for t in screened}) == len(screened) == 5
    assert all({e.part for e in t.evaluations} == {"search", "valid"} for t in screened)
    best = sorted(screened, key=lambda trial: -trial.values["mean_gain"])[:2]
    finalists = {row["route_digest"] for row in report["rows"] if row["role"] == "finalist"}
    assert finalists == {trial.route_digest for trial in best}


def test_the_derived_route_and_the_known_schemes_are_screened(done: tuple[dict[str, Any], MemoryJournal]) -> None:
    report, journal = done
    screened = {t.route_digest for t in journal.trials() if t.label == "screened"}
    proposed = {t.label: t.route_digest for t in journal.trials() if t.notes.get("weights") == "inherited"}
    known = [digest for label, digest in proposed.items() if label.startswith("known:")]
    assert {proposed["derived"], *known} <= screened | {proposed["derived"]}
    assert report["search"]["known_schemes"][:2] == ["full_sharing", "shared_bottom"]
    assert report["search"]["inherited_n"] == 5


def test_screening_is_charged_to_the_search_and_so_to_random_search(done: tuple[dict[str, Any], MemoryJournal]) -> None:
    report, journal = done
    assert report["search"]["candidate_steps"] > 5 * STEPS
    random = [t for t in journal.trials() if t.label == "random" and t.phase == "search"]
    assert len(random) * STEPS >= report["search"]["candidate_steps"] > (len(random) - 1) * STEPS
    assert {t.candidate.settings.lr for t in random} <= {report["tuning"][name]["lr"] for name in report["tuning"]}


def test_random_search_brings_as_many_finalists(done: tuple[dict[str, Any], MemoryJournal]) -> None:
    report, journal = done
    assert [row["label"] for row in report["rows"] if row["label"].startswith("random")] == ["random", "random-2"]
    tuned = {t.label for t in journal.trials() if t.phase == "tune"}
    assert tuned == {"finalist-1", "finalist-2", "random", "random-2"}
    assert report["search"]["kendall_n"] == 4
    rival = report["comparisons"][-1]["second"]
    scores = {row["label"]: row["valid_score"] for row in report["rows"]}
    assert scores[rival] == max(scores["random"], scores["random-2"])


def test_the_report_says_how_far_the_search_moved(done: tuple[dict[str, Any], MemoryJournal]) -> None:
    moved = done[0]["search"]["moved"]
    assert 0 < moved["entropy_end"] <= moved["entropy_start"]
    assert 0 <= moved["better_than_random"] <= 1
    assert 0 < moved["distance_between_random"] <= 1
    assert any("hardly moved" in warning for warning in moved["warnings"])  # three steps


def test_a_limited_budget_holds_the_screening_too(access: DataAccess) -> None:
    report = run(spec_of(search=SEARCH, protocol=PROTOCOL, budget={"candidate_steps": 20}), MemoryJournal(), access)
    assert report["search"]["candidate_steps"] <= 20
    assert report["search"]["inherited_n"] == 3  # half of twenty, at three steps each


def test_few_steps_in_an_epoch_are_made_up_for(access: DataAccess) -> None:
    journal = MemoryJournal()
    search = {**SEARCH, "screen": 0, "least_steps": 20, "warmup": 0.2}
    report = run(spec_of(search=search, protocol=PROTOCOL), journal, access)
    assert report["search"]["stop"]["detail"] == "all 27 steps were done"  # 20 / .8, in epochs of three


@pytest.mark.parametrize("name", ["partitions", "task_groups"])
def test_task_groups_are_a_baseline_that_is_chosen_tuned_and_known(name: str, access: DataAccess) -> None:
    journal = MemoryJournal()
    spec = spec_of(search=SEARCH | {"prior": 1.0}, protocol=PROTOCOL | {"baselines": [name]})
    report = run(spec, journal, access)
    row = next(row for row in report["rows"] if row["label"] == name)
    assert row["role"] == "baseline"
    tried = [t for t in journal.trials() if t.phase == "baselines" and t.label.startswith(f"{name}: ")]
    candidates = [t for t in tried if not t.label.endswith("base")]
    assert {t.label.removeprefix(f"{name}: ") for t in candidates} == {"task_0+task_1", "task_0|task_1"}
    assert len(candidates) == len(list(partitions(2)))
    tuned = [t for t in journal.trials() if t.label == name and t.phase == "baselines"]
    assert [t.candidate.settings.lr for t in tuned] == list(spec.training.lr_grid)
    assert [t.number for t in journal.trials()] == list(range(len(journal.trials())))
