"""A job at the headline level: independent searches, whose answers are what is compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.errors import LeaseLostError
from mtnas.reports.evidence import evidence
from mtnas.reports.markdown import as_markdown
from mtnas.run import MemoryJournal
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec
from mtnas.training.measuring.gains import mean_gain, task_gains
from mtnas.trials import TrialState
from search_spaces import build
from tests.lean import NO_MODELS
from tests.run.interrupting import InterruptedJournal
from tests.run.jobs import SAMPLED, SMALL, EagerExecutor, run, spec_of, timeless

SEEDS = 3
PROTOCOL = {
    "level": "headline",
    "baselines": ["single_task", "shared_bottom"],
    "seeds": SEEDS,
    "finalists": 1,
    **NO_MODELS,
}
Job = tuple[Mapping[str, Any], MemoryJournal]
KINDS = {
    "shared weights": SMALL | {"search": SMALL["search"] | {"screen": 3}, "protocol": PROTOCOL},
    "sampled": SAMPLED | {"search": {"kind": "evolution", "generation": 3}, "protocol": PROTOCOL},
}


@pytest.fixture(scope="module", params=list(KINDS))
def base(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def done(base: Mapping[str, Any], access: DataAccess) -> Job:
    journal = MemoryJournal()
    return run(spec_of(base=base), journal, access), journal


def row(report: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(row for row in report["rows"] if row["label"] == label)
    return found


def test_every_search_has_trials_of_its_own(done: Job) -> None:
    report, journal = done
    assert report["search"]["searches"] == SEEDS
    searched = [trial for trial in journal.trials() if trial.phase == "search"]
    assert [trial.number for trial in journal.trials()] == list(range(len(journal.trials())))
    random = {trial.label for trial in searched if trial.label.startswith("random")}
    assert random == {"random", "random-of-2", "random-of-3"}
    ours = [trial for trial in searched if trial.label not in random]
    if any(trial.label == "search" for trial in ours):
        assert {trial.label for trial in ours} == {"search", "search-of-2", "search-of-3"}
        routes = [[t.route_digest for t in ours if t.label == label] for label in ("search", "search-of-2")]
        assert routes[0] != routes[1], "another seed"
    else:
        assert len({trial.candidate.settings.seed for trial in ours}) == SEEDS


def test_each_answer_is_trained_once_with_its_own_seed(done: Job) -> None:
    report, journal = done
    retrained = [trial for trial in journal.trials() if trial.phase == "retrain"]
    of_searches = [t for t in retrained if t.label.startswith("searched-of")]
    assert sorted(t.candidate.settings.seed for t in of_searches) == list(range(SEEDS))[-len(of_searches) :]
    assert len({t.label for t in of_searches}) == len(of_searches) < SEEDS, "the first search's is finalist-1"
    found = row(report, "searches")
    assert (found["seeds"], found["role"], found["route_digest"]) == (SEEDS, "searches", None)
    own = {t.candidate.settings.seed: t for t in retrained if t.label == "finalist-1"}
    own |= {t.candidate.settings.seed: t for t in of_searches if t.label.startswith("searched-of")}
    digests = {route_digest_of(t, journal) for seed, t in own.items()}
    assert report["search"]["routes_found"] == len(digests)


def route_digest_of(trial: Any, journal: MemoryJournal) -> str:
    assert trial.graph_digest in journal.graphs
    return str(trial.route_digest)


def test_gains_are_paired_by_search(done: Job) -> None:
    """By hand: the answer of search s, trained with seed s, over single-task networks of seed s."""
    report, journal = done
    tasks = [task.to_task() for task in spec_of().tasks]
    retrained = [trial for trial in journal.trials() if trial.phase == "retrain"]
    singles = {t.candidate.settings.seed: t for t in retrained if t.label == "single_task"}
    runs = {t.candidate.settings.seed: t for t in retrained if t.label == "finalist-1"}
    runs |= {t.candidate.settings.seed: t for t in retrained if t.label.startswith("searched-of")}
    gains = [
        mean_gain(task_gains(tasks, runs[s].on("test").per_task, singles[s].on("test").per_task)) for s in range(SEEDS)
    ]
    assert row(report, "searches")["mean_gain"]["mean"] == pytest.approx(fmean(gains))
    first, second = report["comparisons"]
    assert (first["first"], first["seeds"], second["second"]) == ("searches", SEEDS, "random-searches")
    assert [h["against"] for h in report["hypotheses"]] == [first["second"], "random-searches"]
    assert any("the search, run anew for every seed," in words for words in report["words"])
    assert report["recommendation"]["take"] in {"finalist-1", "single_task", "shared_bottom"}
    json.dumps(report, allow_nan=False)


def test_a_second_attempt_goes_on_where_the_first_stopped(
    base: Mapping[str, Any], done: Job, access: DataAccess
) -> None:
    report, journal = done
    numbers = [trial.number for trial in journal.trials()]
    assert timeless(run(spec_of(base=base), journal, access)) == timeless(report)
    assert [trial.number for trial in journal.trials()] == numbers


def test_a_worker_killed_in_its_second_search_loses_no_search(
    base: Mapping[str, Any], done: Job, access: DataAccess
) -> None:
    """What the first search has trained is not trained again, and the report is that of a job that nobody disturbed."""
    undisturbed, first, second = InterruptedJournal(MemoryJournal()), EagerExecutor(), EagerExecutor()
    run(spec_of(base=base), undisturbed, access, EagerExecutor())
    of_search = undisturbed.writes[undisturbed.writes.index("search_ended") :]
    at = undisturbed.writes.index("search_ended") + of_search.index("finish_trials") + 2
    kept = MemoryJournal()
    with pytest.raises(LeaseLostError):
        run(spec_of(base=base), InterruptedJournal(kept, at=at), access, first)
    before = [trial for trial in kept.trials() if trial.state is TrialState.COMPLETE]
    assert kept.report is None
    assert any(trial.phase == "search" for trial in before)
    assert timeless(run(spec_of(base=base), kept, access, second)) == timeless(done[0])
    assert not set(first.finished[:-1]) & set(second.finished), "packs that had ended"
    assert [t for t in kept.trials() if t.number in {own.number for own in before}] == before


def test_what_was_proved_is_told_in_words(done: Job) -> None:
    said = evidence(done[0])
    found = done[0]["search"]["routes_found"]
    assert said[0].startswith(f"{SEEDS} independent searches")
    assert f"found {found} different route" in said[0]
    assert "trainings of one shared-bottom network" in next(words for words in said if words.startswith("A search"))
    document = as_markdown(done[0], title="headline")
    assert all(sentence in document for sentence in (*said, *done[0]["words"]))
    assert "| searches |" in document
    assert f"## searches minus random-searches, {SEEDS} pairs" in document


def test_the_first_search_is_the_one_that_a_single_one_is(
    base: Mapping[str, Any], done: Job, access: DataAccess
) -> None:
    alone = MemoryJournal()
    once = run(spec_of(base=base | {"protocol": PROTOCOL | {"searches": 1}}), alone, access)
    assert once["search"]["searches"] == 1
    assert "searches" not in {row["label"] for row in once["rows"]}
    first = [t for t in done[1].trials() if t.phase == "search"][
        : sum(t.phase == "search" for t in alone.trials()) // 2
    ]
    assert [t.route_digest for t in first] == [t.route_digest for t in alone.trials() if t.phase == "search"][
        : len(first)
    ]
    assert once["best"] == done[0]["best"]


def test_a_search_needs_a_seed_of_its_own() -> None:
    with pytest.raises(ValueError, match="4 searches, 3 seeds"):
        JobSpec.model_validate(SMALL | {"protocol": PROTOCOL | {"searches": 4}})


def test_other_levels_search_once() -> None:
    for level, searches in (("quick", 1), ("standard", 1), ("headline", 10)):
        protocol = expanded(JobSpec.model_validate(SMALL | {"protocol": {"level": level}}), build).protocol
        assert protocol.num_searches == searches
