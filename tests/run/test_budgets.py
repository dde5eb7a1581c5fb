"""Budgets of whole jobs: where the search stops, what is told of it, and that a second attempt stops there too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from mtnas.data import DataAccess, EncodedData
from mtnas.errors import LeaseLostError, SearchError, SpecError
from mtnas.run import MemoryJournal
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent
from mtnas.run.packs.pack_task import PackTask
from mtnas.search import StopReason
from mtnas.trials import Trial, TrialState
from tests.lean import NO_MODELS
from tests.run.clock import Clock, running
from tests.run.interrupting import InterruptedJournal
from tests.run.jobs import (
    EVALUATION,
    MOST_KNOWN,
    POLICY_STEP,
    SAMPLED,
    SMALL,
    STEPS,
    TRAINING,
    YARDSTICK,
    EagerExecutor,
    run,
    spec_of,
    timeless_trials,
)

PROPOSALS = 16 * EVALUATION + MOST_KNOWN + YARDSTICK  # what a search evaluates in the end, at most

QUICK: dict[str, Any] = {
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "baselines": ["shared_bottom"],
        "seeds": 1,
        "finalists": 1,
    }
}


def budgeted(base: Mapping[str, Any] = SAMPLED, **budget: Any) -> Any:
    """A small job with this budget."""
    return spec_of(base={**base, **QUICK}, budget=budget)


def searched(journal: MemoryJournal) -> list[Trial]:
    return [trial for trial in journal.trials() if trial.phase == "search"]


def steps_of(trials: list[Trial]) -> float:
    return sum(trial.evaluations[0].costs["candidate_steps"] for trial in trials)


class TardyExecutor:
    """Waits for the deadline, if there is one, before the packs that follow the first few of those that have one."""

    def __init__(self, clock: Clock, *, packs: int) -> None:
        self.clock, self.left = clock, packs

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            if task.stop_at is not None:
                self.left -= 1
                if self.left < 0:
                    self.clock.sleep_until(task.stop_at)
            yield from execute(task, data)


class TestSampled:
    @pytest.mark.parametrize(
        ("budget", "trials"),
        [
            ({"trials": 4}, 4),
            ({"candidate_steps": 5 * STEPS + 2}, 5),
            ({"epochs": 5.9}, 5),
            ({"device_seconds": 1e-9}, 3),
            ({"target": -1e9}, 3),
            ({"patience": 3, "trials": 1000}, None),
        ],
    )
    def test_every_limit_is_the_reason_told_to_all(
        self, budget: dict[str, Any], trials: int | None, access: DataAccess
    ) -> None:
        """After every generation of three, but within it for trials, steps and epochs."""
        (name, *_) = budget
        journal = MemoryJournal()
        stop = run(budgeted(**budget), journal, access)["search"]["stop"]
        assert (stop["reason"], stop["reproducible"]) == (name, name != "device_seconds")
        assert [payload for kind, payload in journal.events if kind == "search_ended"] == [stop] == [journal.stop]
        if trials is not None:
            assert len(searched(journal)) == trials

    def test_a_deadline_cuts_off_what_is_training_and_the_job_goes_on_with_the_rest(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        search = {"search": {"kind": "random", "generation": 5}, "resources": {"pack_size": 1}}
        with running(Clock()) as clock:
            tardy = TardyExecutor(clock, packs=2)
            report = run(budgeted(SAMPLED | search, deadline_s=2.0), journal, access, tardy)
        stop, trials = report["search"]["stop"], searched(journal)
        assert (stop["reason"], stop["reproducible"]) == ("deadline_s", False)
        assert [trial.was_cut for trial in trials] == [False] * 2 + [True] * 3
        assert all(t.state is TrialState.FAILED and "deadline_s" in str(t.failure) for t in trials if t.was_cut)
        assert report["best"]["route_digest"] in {trial.route_digest for trial in trials[:2]}

    def test_a_deadline_before_the_first_trial_says_so(self, access: DataAccess) -> None:
        with pytest.raises(SearchError, match=r"1e-09 seconds"):
            run(budgeted(deadline_s=1e-9), MemoryJournal(), access)

    def test_a_budget_below_one_trial_says_what_one_takes(self, access: DataAccess) -> None:
        with pytest.raises(SpecError, match=rf"budget.candidate_steps: expected at least {STEPS}, one trial"):
            run(budgeted(candidate_steps=STEPS - 1), MemoryJournal(), access)

    def test_a_search_without_anything_new_says_so(self, access: DataAccess) -> None:
        space = {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 4, "queries": ["input"]}}
        changes = {"space": space, "training": TRAINING | {"lr": 0.01}}
        stop = run(budgeted(SAMPLED | changes, trials=1000), MemoryJournal(), access)["search"]["stop"]
        assert stop["reason"] == StopReason.EXHAUSTED


@pytest.mark.parametrize("budget", [{"candidate_steps": 7 * STEPS}, {"patience": 3}, {"deadline_s": 0.2}])
def test_a_second_attempt_stops_where_the_first_one_did(budget: dict[str, Any], access: DataAccess) -> None:
    """Time that the first attempt took must not end the second one before it has found the trials again."""
    journal = MemoryJournal()
    spec = budgeted(**({"trials": 1000} | budget))
    with running(Clock(tick_s=0.01)):
        first = run(spec, journal, access)
        trials, executor = journal.trials(), EagerExecutor()
        second = run(spec, journal, access, executor)
    assert journal.trials() == trials
    assert executor.finished == []
    assert second["search"]["stop"]["reason"] == first["search"]["stop"]["reason"]
    assert second["best"] == first["best"]


@pytest.mark.parametrize("share", [0.3, 0.45, 0.6, 0.75])
def test_an_interrupted_search_stops_where_an_undisturbed_one_does(share: float, access: DataAccess) -> None:
    spec = budgeted(candidate_steps=8 * STEPS, patience=5)
    kept, counted = MemoryJournal(), MemoryJournal()
    journal = InterruptedJournal(counted)
    run(spec, journal, access)
    with pytest.raises(LeaseLostError):
        run(spec, InterruptedJournal(kept, at=int(share * len(journal.writes))), access)
    run(spec, kept, access)
    assert timeless_trials(kept.trials()) == timeless_trials(counted.trials())
    assert kept.stop == counted.stop


class TestGradient:
    def test_without_a_limit_all_steps_are_done(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        report = run(budgeted(SMALL), journal, access)
        assert report["search"]["stop"]["reason"] == StopReason.COMPLETED
        assert len(searched(journal)) > 4
        charged = STEPS * (1 + POLICY_STEP) + len(searched(journal)) * EVALUATION + YARDSTICK
        assert report["search"]["candidate_steps"] == pytest.approx(charged)

    @pytest.mark.parametrize(("name", "in_steps"), [("candidate_steps", 1), ("epochs", STEPS)])
    @pytest.mark.parametrize("steps", [1, 2])
    def test_searches_share_what_their_passes_take(
        self, name: str, in_steps: int, steps: int, access: DataAccess
    ) -> None:
        """Steps with their rewards, and the routes that each evaluates in the end; not a pass more than allowed."""
        allowed = math.ceil(2 * (steps * (1 + POLICY_STEP) + PROPOSALS))
        journal, search = MemoryJournal(), {**SMALL["search"], "searches": 2}
        report = run(budgeted(SMALL | {"search": search}, **{name: allowed / in_steps}), journal, access)
        assert report["search"]["stop"]["reason"] == name
        assert report["search"]["stop"]["detail"].startswith(f"{steps} of {STEPS} steps")
        assert 2 * steps * (1 + POLICY_STEP) < report["search"]["candidate_steps"] <= allowed

    def test_a_budget_below_one_step_says_what_one_takes(self, access: DataAccess) -> None:
        least = math.ceil(1 + POLICY_STEP + PROPOSALS)
        with pytest.raises(SpecError, match=rf"budget.candidate_steps: expected at least {least}"):
            run(budgeted(SMALL, candidate_steps=least - 1), MemoryJournal(), access)
        report = run(budgeted(SMALL, candidate_steps=least), MemoryJournal(), access)
        assert report["search"]["candidate_steps"] <= least

    @pytest.mark.parametrize("name", ["device_seconds", "deadline_s"])
    def test_time_ends_it_and_it_derives_from_what_it_has(self, name: str, access: DataAccess) -> None:
        journal = MemoryJournal()
        report = run(budgeted(SMALL, **{name: 1e-6}), journal, access)
        stop = report["search"]["stop"]
        assert (stop["reason"], stop["reproducible"]) == (name, False)
        charged = 1 + POLICY_STEP + len(searched(journal)) * EVALUATION + YARDSTICK
        assert report["search"]["candidate_steps"] == pytest.approx(charged)
        assert report["best"]["label"] == "finalist-1"

    def test_trials_limit_the_proposals(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        run(budgeted(SMALL, trials=3), journal, access)
        assert len(searched(journal)) == 3

    @pytest.mark.parametrize("name", ["target", "patience", "failed_trials"])
    def test_limits_on_values_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=rf"budget.{name} needs a search by trials"):
            budgeted(SMALL, **{name: 1})
