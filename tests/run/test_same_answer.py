"""The same specification and seed give the same answer, whoever computes it, in whatever order and packs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.run import MemoryJournal
from tests.run.jobs import SAMPLED, SMALL, TRAINING, BackwardsExecutor, run, spec_of, timeless, timeless_trials

JOBS = {"reinforce": SMALL, "two searches": SMALL | {"search": {**SMALL["search"], "searches": 2}}, "sampled": SAMPLED}


@pytest.mark.parametrize("base", JOBS.values(), ids=JOBS)
def test_the_answer_does_not_depend_on_the_order_in_which_packs_end(
    base: Mapping[str, Any], access: DataAccess
) -> None:
    """Two runs, so that this is also the same answer twice."""
    first, second = MemoryJournal(), MemoryJournal()
    one = run(spec_of(base=base), first, access)
    two = run(spec_of(base=base), second, access, BackwardsExecutor())
    assert timeless(one) == timeless(two)
    assert timeless_trials(first.trials()) == timeless_trials(second.trials())
    assert first.routes == second.routes


def test_another_seed_gives_another_answer(access: DataAccess) -> None:
    journals = [MemoryJournal(), MemoryJournal()]
    for seed, journal in enumerate(journals):
        run(spec_of(seed=seed), journal, access)
    first, second = (
        [trial.evaluations[0].per_task for trial in journal.trials() if trial.phase == "retrain"]
        for journal in journals
    )
    assert all(one != two for one, two in zip(first, second, strict=True))


@pytest.mark.parametrize("base", [SMALL, SAMPLED], ids=["reinforce", "sampled"])
def test_the_size_of_packs_does_not_change_the_answer(base: Mapping[str, Any], access: DataAccess) -> None:
    """Metrics may differ by float32 rounding, which moves a rank or two."""
    journals = [MemoryJournal(), MemoryJournal()]
    for size, journal in zip((1, 5), journals, strict=True):
        run(spec_of(base=base, resources={"pack_size": size}), journal, access)
    for one, two in zip(journals[0].trials(), journals[1].trials(), strict=True):
        assert (one.number, one.label, one.candidate) == (two.number, two.label, two.candidate)
        for name, value in one.values.items():
            assert value == pytest.approx(two.values[name], abs=0.01), (one.label, name)


def test_trials_of_a_sampled_search_are_distinct_and_as_many_as_the_budget(access: DataAccess) -> None:
    journal = MemoryJournal()
    report = run(spec_of(base=SAMPLED), journal, access)
    trials = [trial for trial in journal.trials() if trial.phase == "search"]
    assert len(trials) == report["search"]["trials"] == SAMPLED["budget"]["trials"]
    keys = {(trial.route_digest, trial.candidate.settings.lr) for trial in trials}
    assert len(keys) == len(trials)
    assert {trial.candidate.settings.lr for trial in trials} == set(TRAINING["lr"]["grid"])
    assert all(math.isfinite(trial.values["mean_gain"]) for trial in trials)
    best = max(trials, key=lambda trial: trial.values["mean_gain"])
    (first,) = (
        trial
        for trial in journal.trials()
        if trial.label == "finalist-1" and trial.phase == "retrain" and trial.candidate.settings.seed == 0
    )
    assert first.route_digest == best.route_digest


@pytest.mark.parametrize("kind", ["evolution", "nsga2"])
def test_any_searcher_can_be_named(kind: str, access: DataAccess) -> None:
    journal = MemoryJournal()
    run(spec_of(base=SAMPLED, search={"kind": kind, "generation": 4}), journal, access)
    assert sum(trial.phase == "search" for trial in journal.trials()) == 7


def test_a_search_of_a_space_with_few_routes_ends_when_all_are_tried(access: DataAccess) -> None:
    journal = MemoryJournal()
    space = {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 4, "queries": ["input"]}}
    changes = {"space": space, "budget": {"trials": 100}, "training": TRAINING | {"lr": 0.01}}
    run(spec_of(base=SAMPLED | changes), journal, access)
    trials = [trial for trial in journal.trials() if trial.phase == "search"]
    assert len({trial.route_digest for trial in trials}) == len(trials) < 10
