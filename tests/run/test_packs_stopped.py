"""Packs that are stopped early: candidates that are cut off, and searches that propose from what they have."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.data_spec import DataSpec
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackCheckpoint, PackEvent, PackProgress, SupernetResult, TrainResult
from mtnas.run.packs.pack_task import PackTask
from tests.run.clock import Clock, running
from tests.run.jobs import DATA, EVALUATION, POLICY_STEP
from tests.run.packs.test_execute import TASKS, searching, training

LONG_S = 1e9


@pytest.fixture(scope="module")
def data(access: DataAccess) -> EncodedData:
    return load(DataSpec.model_validate(DATA), TASKS, access=access)


def stopped(task: PackTask, data: EncodedData, *, after: int) -> list[PackEvent]:
    """The events of a pack whose deadline comes after so many looks."""
    with running(Clock()) as clock:
        stop_at = clock.time() + 1.0
        events = []
        for event in execute(replace(task, stop_at=stop_at), data):
            events.append(event)
            if sum(isinstance(seen, PackProgress) for seen in events) == after:
                clock.sleep_until(stop_at)
        return events


def test_a_deadline_that_has_passed_lets_nothing_begin(data: EncodedData) -> None:
    *_, result = execute(replace(training(), stop_at=time.time()), data)
    assert isinstance(result, TrainResult)
    assert [outcome.cut for outcome in result.outcomes] == [{"device_seconds": 0.0, "candidate_steps": 0.0}] * 2


def test_a_deadline_in_the_middle_cuts_all_candidates_off_at_the_next_look(data: EncodedData) -> None:
    result = stopped(training(), data, after=1)[-1]
    assert isinstance(result, TrainResult)
    for outcome in result.outcomes:
        assert outcome.cut is not None
        assert outcome.cut["candidate_steps"] == 4
        assert outcome.cut["device_seconds"] > 0
        assert (outcome.evaluations, outcome.weights) == ((), None)
        assert "budget.deadline_s" in str(outcome.failure)


def test_a_deadline_at_the_last_look_comes_too_late(data: EncodedData) -> None:
    num_looks = sum(isinstance(event, PackProgress) for event in execute(training(), data))
    result = stopped(training(), data, after=num_looks)[-1]
    assert isinstance(result, TrainResult)
    assert all(outcome.cut is None and outcome.evaluations for outcome in result.outcomes)


def limited(**limits: float) -> PackTask:
    task = searching(lrs=(0.01,))
    return replace(task, work=replace(task.work, **limits))


def charge(result: SupernetResult, *, steps: int, policy_steps: int) -> float:
    """Of one search, proposals included."""
    (proposals,) = result.proposals
    return pytest.approx(steps + policy_steps * POLICY_STEP + len(proposals) * EVALUATION)  # type: ignore[no-any-return]


def test_a_search_stops_after_its_steps_in_the_middle_of_an_epoch(data: EncodedData) -> None:
    events = list(execute(limited(most_steps=4), data))
    progress = [event for event in events if isinstance(event, PackProgress)]
    assert (progress[-1].step, progress[-1].total_steps) == (4, 4)
    assert isinstance(events[-1], SupernetResult)
    assert events[-1].candidate_steps == charge(events[-1], steps=4, policy_steps=4)
    assert not events[-1].out_of_time


def test_a_search_goes_on_from_where_its_steps_ended(data: EncodedData) -> None:
    *_, state, first = execute(limited(most_steps=4), data)
    assert isinstance(state, PackCheckpoint)
    *_, second = execute(replace(limited(most_steps=7), resume=state.state), data)
    assert isinstance(first, SupernetResult)
    assert isinstance(second, SupernetResult)
    assert first.candidate_steps == charge(first, steps=4, policy_steps=4)
    assert second.candidate_steps == charge(second, steps=7, policy_steps=7)
    assert second.seconds > first.seconds


@pytest.mark.parametrize(("seconds", "out"), [(1e-9, True), (LONG_S, False)])
def test_a_search_is_out_of_time_at_its_next_pulse_or_not_at_all(seconds: float, out: bool, data: EncodedData) -> None:
    *_, result = execute(limited(seconds=seconds), data)
    assert isinstance(result, SupernetResult)
    assert result.out_of_time is out
    assert (result.candidate_steps == charge(result, steps=1, policy_steps=0)) is out
    assert result.proposals[0]
