"""Budgets: every limit stops a search by itself, for the reason that is told, and never before its time."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtnas.errors import SpecError
from mtnas.routes import Route
from mtnas.search import Budget, Spent, StopReason
from mtnas.search.budgets.budget import SHARE_FROM
from mtnas.search.budgets.limits import BudgetSpec, extended
from mtnas.tasks import Direction, Objective
from mtnas.trials import Candidate, Evaluation, Settings, Trial, TrialState
from tests.search.planted import GAIN

STEPS, EPOCH = 20, 5
NOWHERE = Candidate(route=Route(mixes=(), blocks=()), settings=Settings())
LOSS = Objective(metric="a.log_loss", direction=Direction.MIN)


def trial(number: int, value: float | None = 0.0, *, steps: float = STEPS, cut: bool = False, **values: Any) -> Trial:
    """A trial with a mean gain; None for one that failed."""
    costs = {"candidate_steps": steps, "device_seconds": steps / 10}
    failed = value is None or cut
    return Trial(
        number=number,
        phase="search",
        label="search",
        candidate=NOWHERE,
        state=TrialState.FAILED if failed else TrialState.COMPLETE,
        evaluations=() if failed else (Evaluation(part="search", per_task={}, costs=costs),),
        values={} if failed or value is None else {"mean_gain": value, **values},
        failure="diverged" if failed else None,
        notes={"cut": True, "spent": costs} if cut else {},
    )


def trials(*values: float | None) -> list[Trial]:
    return [trial(number, value) for number, value in enumerate(values)]


def budget(objective: Objective = GAIN, **limits: Any) -> Budget:
    return Budget(
        limits=BudgetSpec(**({"trials": 1000} | limits)),
        objective=objective,
        steps_per_trial=STEPS,
        steps_per_epoch=EPOCH,
    )


TEN = trials(*[0.1 * number for number in range(10)])
LIMITS: dict[str, tuple[Any, Any]] = {  # a limit that ten trials in 50 seconds reach, and one that they do not
    "trials": (10, 11),
    "candidate_steps": (10 * STEPS + STEPS - 1, 11 * STEPS),
    "epochs": (10 * STEPS / EPOCH + 3.8, 11 * STEPS / EPOCH),
    "device_seconds": (20.0, 20.1),
    "deadline_s": (50.0, 50.1),
    "target": (0.9, 0.91),
}


@pytest.mark.parametrize(("name", "reached", "not_reached"), [(k, *v) for k, v in LIMITS.items()])
def test_a_limit_that_is_reached_stops_the_search_and_is_named(name: str, reached: Any, not_reached: Any) -> None:
    stop = budget(**{name: reached}).why_stop(TEN, seconds=50.0)
    assert stop is not None
    assert stop.reason == name
    assert stop.reproducible == (name not in ("device_seconds", "deadline_s"))
    assert budget(**{name: not_reached}).why_stop(TEN, seconds=50.0) is None


def test_every_field_is_the_reason_of_some_stop() -> None:
    tested = {*LIMITS, "patience", "failed_trials", "failed_share"}
    assert set(BudgetSpec.model_fields) == tested
    assert {str(reason) for reason in StopReason} == tested | {"exhausted", "completed", "settled"}
    assert {field.name for field in fields(Spent)} == {"candidate_steps", "device_seconds"}


class TestPatience:
    def test_ends_a_search_after_so_many_trials_without_a_better_one(self) -> None:
        rising = trials(0.1, 0.3, 0.2, 0.3, None)
        assert budget(patience=4).why_stop(rising, seconds=0) is None
        stop = budget(patience=3).why_stop(rising, seconds=0)
        assert stop is not None
        assert (stop.reason, stop.detail) == ("patience", "3 trials in a row brought no better mean_gain than 0.3")

    def test_follows_the_direction_of_the_objective(self) -> None:
        falling = [trial(n, 0.0, **{"a.log_loss": 1.0 - 0.1 * n}) for n in range(5)]
        assert budget(LOSS, patience=2).why_stop(falling, seconds=0) is None
        assert budget(patience=2).why_stop(falling, seconds=0) is not None

    def test_waits_for_a_first_value(self) -> None:
        assert budget(patience=2).why_stop(trials(None, None, None, math.nan), seconds=0) is None


class TestTarget:
    def test_may_be_reached_from_above(self) -> None:
        found = [trial(0, 0.0, **{"a.log_loss": 0.4})]
        assert budget(LOSS, target=0.4).why_stop(found, seconds=0) is not None
        assert budget(LOSS, target=0.39).why_stop(found, seconds=0) is None

    def test_is_not_reached_by_a_value_that_is_none(self) -> None:
        assert budget(target=0.0).why_stop(trials(math.nan, None), seconds=0) is None


class TestFailures:
    def test_so_many_end_a_search(self) -> None:
        some = trials(0.1, None, 0.1, None)
        stop = budget(failed_trials=2).why_stop(some, seconds=0)
        assert stop is not None
        assert stop.reason == "failed_trials"
        assert "2 of 4 trials failed, the last with: diverged" in stop.detail
        assert budget(failed_trials=3).why_stop(some, seconds=0) is None

    def test_a_share_of_them_ends_a_search_once_enough_have_run(self) -> None:
        half = trials(*[0.1, None] * (SHARE_FROM // 2))
        stop = budget(failed_share=0.5).why_stop(half, seconds=0)
        assert stop is not None
        assert stop.reason == "failed_share"
        assert budget(failed_share=0.5).why_stop(half[:-2], seconds=0) is None
        assert budget(failed_share=0.51).why_stop(half, seconds=0) is None

    def test_without_a_limit_only_a_search_that_never_succeeds_is_ended(self) -> None:
        assert budget().why_stop(trials(*[None] * (SHARE_FROM - 1)), seconds=0) is None
        assert budget().why_stop(trials(*[None] * SHARE_FROM), seconds=0) is not None
        assert budget().why_stop(trials(*[None] * SHARE_FROM, 0.1), seconds=0) is None

    def test_trials_that_were_cut_off_have_not_failed(self) -> None:
        late = [trial(number, cut=True) for number in range(SHARE_FROM)]
        stop = budget(deadline_s=10.0, failed_trials=1).why_stop(late, seconds=9.0)
        assert stop is not None
        assert stop.reason == "deadline_s"


class TestRoom:
    def test_a_generation_keeps_to_what_is_left_of_trials_and_steps(self) -> None:
        assert budget(trials=13).room(TEN, 16) == 3
        assert budget(candidate_steps=14 * STEPS - 1).room(TEN, 16) == 3
        assert budget(epochs=12.5 * STEPS / EPOCH).room(TEN, 16) == 2
        assert budget().room(TEN, 16) == 16

    def test_device_seconds_are_foreseen_from_those_of_earlier_trials(self) -> None:
        assert budget(device_seconds=20.0 + 3 * 2.0).room(TEN, 16) == 3
        assert budget(device_seconds=20.1).room(TEN, 16) == 1
        assert budget(device_seconds=0.1).room([], 16) == 16

    def test_trials_that_took_fewer_steps_leave_room_for_more(self) -> None:
        short = [trial(number, steps=STEPS / 2) for number in range(10)]
        assert budget(candidate_steps=10 * STEPS).room(short, 16) == 5

    @given(
        limits=st.fixed_dictionaries(
            {"trials": st.integers(1, 100)},
            optional={"candidate_steps": st.integers(STEPS, 3000), "epochs": st.floats(STEPS / EPOCH, 700)},
        ),
        generation=st.integers(1, 20),
    )
    def test_steps_and_trials_are_never_exceeded_and_always_used(self, limits: dict[str, Any], generation: int) -> None:
        found, done = budget(**limits), list[Trial]()
        while (stop := found.why_stop(done, seconds=0)) is None:
            room = found.room(done, generation)
            assert 1 <= room <= generation
            done += [trial(len(done) + index, 0.1) for index in range(room)]
        assert len(done) == found.most_trials
        assert stop.reason in limits
        assert Spent.of(done).candidate_steps <= (found.most_steps or math.inf)


@pytest.mark.parametrize(("name", "least"), [("candidate_steps", STEPS), ("epochs", STEPS / EPOCH)])
def test_a_budget_below_one_trial_is_refused(name: str, least: float) -> None:
    budget(**{name: least})
    with pytest.raises(SpecError, match=rf"budget.{name}: expected at least {least:g}, one trial"):
        budget(**{name: least - 1})


def test_trials_that_were_cut_off_count_with_what_they_took() -> None:
    assert Spent.of([trial(0), trial(1, cut=True, steps=7.0)]) == Spent(candidate_steps=27.0, device_seconds=2.7)


class TestExtended:
    @pytest.mark.parametrize("name", ["trials", "candidate_steps", "epochs", "device_seconds"])
    def test_totals_only_grow(self, name: str) -> None:
        old = BudgetSpec(**{name: 100})
        assert getattr(extended(old, BudgetSpec(**{name: 101}), objective=GAIN, reached=name), name) == 101
        assert extended(old, BudgetSpec(**{name: 100}), objective=GAIN, reached="target") == old
        for reached, less in (("target", 99), (name, 100)):
            with pytest.raises(SpecError, match=rf"budget.{name}"):
                extended(old, BudgetSpec(**{name: less}), objective=GAIN, reached=reached)

    def test_limits_that_are_not_named_stay(self) -> None:
        old = BudgetSpec(trials=10, candidate_steps=100, patience=3)
        new = extended(old, BudgetSpec(trials=20), objective=GAIN, reached="trials")
        assert new == BudgetSpec(trials=20, candidate_steps=100, patience=3)
        with pytest.raises(SpecError, match=r"budget.trials: expected more than 10"):
            extended(old, BudgetSpec(patience=9), objective=GAIN, reached="trials")

    def test_a_limit_may_be_lifted(self) -> None:
        old = BudgetSpec(candidate_steps=100, target=0.5)
        new = extended(old, BudgetSpec(candidate_steps=None), objective=GAIN, reached="candidate_steps")
        assert new == BudgetSpec(target=0.5)

    @pytest.mark.parametrize(("objective", "better", "worse"), [(GAIN, 0.6, 0.5), (LOSS, 0.4, 0.6)])
    def test_a_target_that_was_reached_must_become_harder(
        self, objective: Objective, better: float, worse: float
    ) -> None:
        old = BudgetSpec(target=0.5)
        assert extended(old, BudgetSpec(target=better), objective=objective, reached="target").target == better
        assert extended(old, BudgetSpec(target=None), objective=objective, reached="target").target is None
        with pytest.raises(SpecError, match=r"budget.target"):
            extended(old, BudgetSpec(target=worse), objective=objective, reached="target")
