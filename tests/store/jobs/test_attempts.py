"""Attempts, waits between them, and jobs that are tried again: nothing that was done is lost or done twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mtnas.errors import ConflictError
from mtnas.store import FailureKind, Holding, JobKind, JobState, Store, TrialResult, WorkState
from mtnas.trials import LOST, TrialState
from tests.store.jobs.test_leases import lapse
from tests.store.values import complete, new_route, new_trial


def again(store: Store) -> Holding:
    lease = store.leases.claim("worker")
    assert lease is not None
    return store.hold(lease)


def lose(store: Store, holding: Holding) -> JobState:
    lapse(store, holding.lease)
    (job,) = store.leases.reap()
    return job.state


def test_attempts_that_bring_a_job_on_do_not_count(store: Store, holding: Holding) -> None:
    for number in range(5):
        holding.add_trials([new_trial(number)])
        holding.finish_trials([complete(number, gain=1.0)])
        assert lose(store, holding) is JobState.QUEUED
        holding = again(store)
    ends = []
    for _ in range(3):
        ends.append(lose(store, holding))
        if ends[-1] is JobState.QUEUED:
            holding = again(store)
    assert ends == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]


def test_a_checkpoint_brings_a_job_on(store: Store, claim: Callable[..., Holding]) -> None:
    holding = claim(max_attempts=1)
    holding.save_checkpoint("policy", store.artifacts.put_bytes(b"x"))
    assert lose(store, holding) is JobState.QUEUED


def test_what_was_done_before_does_not_bring_a_later_attempt_on(store: Store, claim: Callable[..., Holding]) -> None:
    holding = claim(max_attempts=1)
    holding.add_trials([new_trial(0)])
    holding.finish_trials([complete(0, gain=1.0)])
    lose(store, holding)
    holding = again(store)
    holding.finish_trials([complete(0, gain=1.0)])
    assert lose(store, holding) is JobState.FAILED


def test_the_next_attempt_waits_longer_after_every_one_in_vain(store: Store, holding: Holding) -> None:
    for factor in (1, 4):
        holding.fail(FailureKind.OUT_OF_DISK, {}, retry=True, wait_s=100.0)
        job = store.jobs.get(holding.lease.job_id)
        assert job.not_before is not None
        assert abs(job.not_before - datetime.now(UTC) - timedelta(seconds=100 * factor)) < timedelta(seconds=20)
        assert store.leases.claim("worker") is None
        store.jobs.request_cancel(job.id)
        store.jobs.retry(job.id)  # whoever asks does not wait
        if factor == 1:
            holding = again(store)
            holding.fail(FailureKind.OUT_OF_DISK, {}, retry=True)
            holding = again(store)


def test_short_jobs_overtake_searches_and_others_keep_their_order(store: Store) -> None:
    kinds = (JobKind.SEARCH, JobKind.EXTEND, JobKind.PROFILE, JobKind.EXPORT)
    jobs = {kind: store.jobs.submit(kind, "a", {})[0].id for kind in kinds}
    urgent, _ = store.jobs.submit(JobKind.SEARCH, "urgent", {}, precedence=-200)
    claimed = [lease.job_id for _ in range(5) if (lease := store.leases.claim("w"))]
    order = (JobKind.PROFILE, JobKind.EXPORT, JobKind.SEARCH, JobKind.EXTEND)
    assert claimed == [urgent.id, *(jobs[kind] for kind in order)]


@pytest.mark.parametrize("end", ["fail", "cancelled"])
def test_a_job_tried_again_keeps_what_it_has_and_runs_the_rest(store: Store, holding: Holding, end: str) -> None:
    holding.add_trials([new_trial(number) for number in range(4)])
    holding.finish_trials([complete(0, gain=1.0)])
    failures = (TrialResult(number=1, state=TrialState.FAILED, failure="diverged"),)
    lost = (TrialResult(number=2, state=TrialState.FAILED, failure="died", notes={LOST: True}),)
    holding.finish_trials([*failures, *lost])
    export = holding.add_export("r")
    if end == "fail":
        holding.fail(FailureKind.LOST_WORKER, {"title": "lost"})
    else:
        store.jobs.request_cancel(holding.lease.job_id)
        holding.cancelled()
    assert store.exports.get(export.id).state is WorkState.FAILED
    job = store.jobs.retry(holding.lease.job_id)
    assert (job.state, job.attempts_used, job.failure, job.finished_at) == (JobState.QUEUED, 0, None, None)
    kept = {trial.number: trial.state for trial in store.trials.list(job.id)}
    assert kept == {0: TrialState.COMPLETE, 1: TrialState.FAILED}
    assert store.exports.get(export.id).state is WorkState.PENDING
    holding = again(store)
    holding.finish()
    with pytest.raises(ConflictError, match="succeeded"):
        store.jobs.retry(job.id)


def test_a_profile_tried_again_is_pending(store: Store) -> None:
    dataset, _ = store.datasets.register("clicks", {"kind": "file", "paths": ["x"]})
    again(store).fail(FailureKind.DATA_ERROR, {"detail": "unreadable"})
    assert store.datasets.get("clicks").state is WorkState.FAILED
    store.jobs.retry(dataset.job_id)
    assert store.datasets.get("clicks").state is WorkState.PENDING


def test_cancelling_a_job_whose_holder_is_gone_ends_it(store: Store, holding: Holding) -> None:
    assert store.jobs.request_cancel(holding.lease.job_id).state is JobState.RUNNING
    lapse(store, holding.lease)
    assert store.jobs.request_cancel(holding.lease.job_id).state is JobState.CANCELLED


def test_leases_of_a_dead_worker_end_at_once(store: Store) -> None:
    for name in ("dead", "alive"):
        store.jobs.submit(JobKind.SEARCH, name, {})
        store.leases.claim(name)
    (job,) = store.leases.reap(worker="dead")
    assert (job.name, job.state) == ("dead", JobState.QUEUED)
    assert store.leases.reap() == ()


def test_a_route_is_there_before_the_job_has_ended(store: Store, holding: Holding) -> None:
    holding.add_graphs({"graph": {}})
    holding.add_routes([new_route("r")])
    holding.fail(FailureKind.INTERNAL, {})
    assert store.routes.get("r").job_id == holding.lease.job_id
