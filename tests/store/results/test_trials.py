"""Trials: none is lost, none counts twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mtnas.errors import ConflictError, NotFoundError, SpecError
from mtnas.store import FailureKind, Holding, JobState, Store, TrialResult
from mtnas.trials import TrialState
from tests.store.values import PLACE, complete, new_trial


def test_finished_trial_comes_back_as_it_was_given(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(0)])
    evaluation = {"part": "search", "per_task": {"ctr": {"auc": 0.75, "log_loss": float("nan")}}, "costs": {}}
    began = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    holding.finish_trials(
        [
            TrialResult(
                number=0,
                state=TrialState.COMPLETE,
                values={"mean_gain": 0.1 + 0.2, "worst_gain": float("inf")},
                evaluations=(evaluation,),
                place=PLACE,
                started_at=began,
                notes={"epochs": 3},
            )
        ]
    )
    trial = store.trials.get(holding.lease.job_id, 0)
    assert trial.candidate == new_trial(0).candidate
    assert trial.values == {"mean_gain": 0.1 + 0.2, "worst_gain": None}
    assert trial.evaluations[0]["per_task"] == {"ctr": {"auc": 0.75, "log_loss": None}}
    assert (trial.state, trial.place, trial.started_at) == (TrialState.COMPLETE, PLACE, began)
    assert trial.notes == {"epochs": 3}
    assert trial.finished_at is not None
    assert trial.attempt == 1


def test_started_trials_tell_where_they_run(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(number) for number in range(3)])
    assert store.trials.get(holding.lease.job_id, 0).place is None
    holding.start_trials([0, 2], PLACE)
    places = [trial.place for trial in store.trials.list(holding.lease.job_id)]
    assert places == [PLACE, None, PLACE]
    holding.finish_trials([TrialResult(number=0, state=TrialState.FAILED, failure="diverged")])
    trial = store.trials.get(holding.lease.job_id, 0)
    assert (trial.place, trial.failure, trial.state) == (PLACE, "diverged", TrialState.FAILED)
    assert trial.started_at is not None


def test_adding_a_trial_again_changes_nothing(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(0)])
    holding.finish_trials([complete(0, gain=1.0)])
    before = store.trials.get(holding.lease.job_id, 0)
    holding.add_trials([new_trial(0), new_trial(1)])
    assert store.trials.get(holding.lease.job_id, 0) == before
    assert len(store.trials.list(holding.lease.job_id)) == 2


def test_a_number_cannot_stand_for_two_candidates(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(0)])
    with pytest.raises(ConflictError, match="trial 0"):
        holding.add_trials([new_trial(1), new_trial(0, lr=0.5)])
    assert [trial.number for trial in store.trials.list(holding.lease.job_id)] == [0]


def test_only_the_first_end_of_a_trial_counts(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(0), new_trial(1)])
    assert holding.finish_trials([complete(0, gain=1.0)]) == (0,)
    assert holding.finish_trials([complete(0, gain=2.0), complete(1, gain=3.0)]) == (1,)
    assert [trial.values for trial in store.trials.list(holding.lease.job_id)] == [{"gain": 1.0}, {"gain": 3.0}]


def test_unknown_trial_cannot_finish_and_takes_its_batch_back(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(0)])
    with pytest.raises(NotFoundError, match="trial 9"):
        holding.finish_trials([complete(0), complete(9)])
    assert store.trials.get(holding.lease.job_id, 0).state is TrialState.RUNNING


def test_a_result_must_be_an_end_with_numbers(holding: Holding) -> None:
    holding.add_trials([new_trial(0)])
    with pytest.raises(SpecError, match="running"):
        holding.finish_trials([TrialResult(number=0, state=TrialState.RUNNING)])
    with pytest.raises(SpecError, match="'good'"):
        holding.finish_trials([complete(0, gain="good")])  # type: ignore[arg-type]


def test_lost_attempt_leaves_finished_trials_and_frees_the_other_numbers(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(number) for number in range(4)])
    holding.finish_trials([complete(1, gain=1.0), complete(3, gain=3.0)])
    store.leases.renew(holding.lease, lease_s=-1.0)
    store.leases.reap()
    assert [trial.number for trial in store.trials.list(holding.lease.job_id)] == [1, 3]
    lease = store.leases.claim("another")
    assert lease is not None
    again = store.hold(lease)
    again.add_trials([new_trial(number) for number in range(4)])
    again.finish_trials([complete(number, gain=10.0) for number in range(4)])
    trials = store.trials.list(holding.lease.job_id)
    assert [(trial.number, trial.values["gain"], trial.attempt) for trial in trials] == [
        (0, 10.0, 2),
        (1, 1.0, 1),
        (2, 10.0, 2),
        (3, 3.0, 1),
    ]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (Holding.finish, JobState.SUCCEEDED),
        (Holding.cancelled, JobState.CANCELLED),
        (lambda holding: holding.fail(FailureKind.TIMEOUT, {}), JobState.FAILED),
    ],
)
def test_no_trial_runs_in_a_job_that_has_ended(
    store: Store, holding: Holding, end: Callable[[Holding], object], state: JobState
) -> None:
    holding.add_trials([new_trial(0), new_trial(1)])
    holding.finish_trials([complete(0)])
    end(holding)
    counts = store.trials.counts(holding.lease.job_id)
    assert counts == {state: int(state in (TrialState.COMPLETE, TrialState.FAILED)) for state in TrialState}
    assert state in (store.trials.get(holding.lease.job_id, 1).failure or "")


def test_trials_sort_by_any_value_with_missing_ones_last(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(number) for number in range(4)])
    holding.finish_trials(
        [complete(0, gain=2.0), complete(1, gain=-1.5), complete(2, gain=float("nan")), complete(3, gain=10.0)]
    )

    def order(sort: str) -> list[int]:
        return [trial.number for trial in store.trials.list(holding.lease.job_id, sort=sort)]

    assert order("gain") == [1, 0, 3, 2]
    assert order("-gain") == [3, 0, 1, 2]
    assert order("-number") == [3, 2, 1, 0]
    with pytest.raises(SpecError, match="gain, number"):
        order("gian")


def test_trials_filter_and_page(store: Store, holding: Holding) -> None:
    holding.add_trials([new_trial(0, phase="baselines"), *(new_trial(number) for number in range(1, 6))])
    holding.finish_trials([complete(0), complete(2)])
    job_id = holding.lease.job_id
    assert [trial.number for trial in store.trials.list(job_id, phase="baselines")] == [0]
    assert [trial.number for trial in store.trials.list(job_id, state=TrialState.COMPLETE)] == [0, 2]
    assert [trial.number for trial in store.trials.list(job_id, phase="search", limit=2, offset=3)] == [4, 5]
    assert len(store.trials.list(job_id, limit=None)) == 6
    assert store.trials.counts(job_id, phase="search")[TrialState.RUNNING] == 4


def test_trials_of_two_jobs_do_not_mix(store: Store, claim: Callable[..., Holding]) -> None:
    one, two = claim(), claim()
    one.add_trials([new_trial(0)])
    two.add_trials([new_trial(0, lr=0.5)])
    one.finish_trials([complete(0)])
    assert store.trials.get(two.lease.job_id, 0).state is TrialState.RUNNING
    with pytest.raises(NotFoundError):
        store.trials.get(two.lease.job_id, 1)


def test_a_trial_is_told_of_once_when_it_ends(holding: Holding, store: Store) -> None:
    holding.add_trials([new_trial(0), new_trial(1)])
    holding.finish_trials([complete(0)], events={0: {"number": 0}, 1: {"number": 1}})
    holding.finish_trials([complete(0), complete(1)], events={0: {"number": "again"}, 1: {"number": 1}})
    told = [event.payload["number"] for event in store.events.after(holding.lease.job_id) if event.kind == "trial"]
    assert told == [0, 1]
