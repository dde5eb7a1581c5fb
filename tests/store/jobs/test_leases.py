"""Leases: one holder at a time, and nobody else writes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from mtnas.errors import LeaseLostError, NotFoundError
from mtnas.store import FailureKind, Holding, JobKind, JobState, Lease, Store
from tests.store.contents import contents
from tests.store.listening import statements
from tests.store.values import GRAPH, PLACE, complete, new_route, new_trial

WRITES: dict[str, Callable[[Holding, str], object]] = {
    "job": lambda holding, _: holding.job,
    "start_phase": lambda holding, _: holding.start_phase("search"),
    "progress": lambda holding, _: holding.progress({"done": 1}),
    "event": lambda holding, _: holding.event("note", {}),
    "search_ended": lambda holding, _: holding.search_ended({"reason": "trials"}),
    "add_trials": lambda holding, _: holding.add_trials([new_trial(5)]),
    "start_trials": lambda holding, _: holding.start_trials([0], PLACE),
    "finish_trials": lambda holding, _: holding.finish_trials([complete(0, gain=1.0)]),
    "save_checkpoint": lambda holding, sha: holding.save_checkpoint("policy", sha),
    "forget_checkpoints": lambda holding, _: holding.forget_checkpoints(["policy"]),
    "add_graphs": lambda holding, _: holding.add_graphs({"other": GRAPH}),
    "add_routes": lambda holding, _: holding.add_routes([new_route("r")]),
    "put_report": lambda holding, _: holding.put_report({}),
    "count_test_read": lambda holding, _: holding.count_test_read("data"),
    "add_export": lambda holding, _: holding.add_export("other"),
    "finish_export": lambda holding, sha: holding.finish_export("export", sha, {}),
    "fail_export": lambda holding, _: holding.fail_export("export", {}),
    "set_profile": lambda holding, _: holding.set_profile("dataset", {}, "digest"),
    "finish": lambda holding, _: holding.finish(),
    "fail": lambda holding, _: holding.fail(FailureKind.TIMEOUT, {}),
    "cancelled": lambda holding, _: holding.cancelled(),
    "release": lambda holding, _: holding.release(),
}


def test_the_list_of_writes_is_complete() -> None:
    public = {name for name in vars(Holding) if not name.startswith("_")}
    assert set(WRITES) == public


def lapse(store: Store, lease: Lease) -> None:
    """Let a lease lapse without waiting for it."""
    store.leases.renew(lease, lease_s=-1.0)


def prepare(store: Store, holding: Holding) -> str:
    """Give every write something to find; gives a stored file."""
    holding.add_graphs({"graph": GRAPH})
    holding.add_trials([new_trial(0)])
    holding.add_export("r")
    return store.artifacts.put_bytes(b"weights")


@pytest.mark.parametrize("name", WRITES)
def test_stale_lease_cannot_write(store: Store, url: str, claim: Callable[..., Holding], name: str) -> None:
    stale = claim()
    sha256 = prepare(store, stale)
    lapse(store, stale.lease)
    store.leases.reap()
    assert store.leases.claim("another worker") is not None
    before = contents(url)
    with pytest.raises(LeaseLostError):
        WRITES[name](stale, sha256)
    assert contents(url) == before


@pytest.mark.parametrize("name", WRITES)
def test_every_write_of_a_holder_begins_by_proving_its_lease(
    store: Store, claim: Callable[..., Holding], name: str
) -> None:
    holding = claim()
    sha256 = prepare(store, holding)
    with statements(store) as sent, suppress(NotFoundError):  # there is no such export or data set to write to
        WRITES[name](holding, sha256)
    proof = r"UPDATE jobs SET .* WHERE jobs.id = \S+ AND jobs.attempt = \S+ AND jobs.state = \S+ RETURNING"
    assert re.match(proof, sent[0][0])


def test_stale_lease_cannot_be_renewed(store: Store, holding: Holding) -> None:
    holding.release()
    with pytest.raises(LeaseLostError):
        store.leases.renew(holding.lease)


def test_same_worker_name_does_not_revive_a_stale_lease(store: Store, holding: Holding) -> None:
    holding.release()
    again = store.leases.claim("worker")
    assert again is not None
    with pytest.raises(LeaseLostError):
        holding.finish()
    store.hold(again).finish()


def test_claim_takes_the_oldest_of_the_wanted_kinds(store: Store) -> None:
    profile, _ = store.jobs.submit(JobKind.PROFILE, "a", {})
    first, _ = store.jobs.submit(JobKind.SEARCH, "b", {})
    second, _ = store.jobs.submit(JobKind.SEARCH, "c", {})
    leases = [store.leases.claim("w", kinds=[JobKind.SEARCH]) for _ in range(3)]
    assert [lease.job_id if lease else None for lease in leases] == [first.id, second.id, None]
    last = store.leases.claim("w")
    assert last is not None
    assert last.job_id == profile.id


def test_claim_raises_the_attempt_and_notes_the_worker(store: Store, holding: Holding) -> None:
    job = store.jobs.get(holding.lease.job_id)
    assert (job.state, job.attempt, job.worker) == (JobState.RUNNING, 1, "worker")
    assert job.started_at is not None
    assert job.lease_deadline == holding.lease.deadline


def test_deadline_lies_the_asked_seconds_ahead(store: Store, holding: Holding) -> None:
    deadline = store.leases.renew(holding.lease, lease_s=3600.5).deadline
    assert abs(deadline - datetime.now(UTC) - timedelta(seconds=3600.5)) < timedelta(seconds=10)


def test_reaper_leaves_living_leases_alone(store: Store, holding: Holding) -> None:
    assert store.leases.reap() == ()
    holding.finish()


def test_lease_lapses_by_the_clock_of_the_database(store: Store) -> None:
    store.jobs.submit(JobKind.SEARCH, "a", {})
    began = time.monotonic()
    lease = store.leases.claim("w", lease_s=0.2)
    assert lease is not None
    while not (lapsed := store.leases.reap()):
        time.sleep(0.01)
    assert [job.id for job in lapsed] == [lease.job_id]
    assert time.monotonic() - began > 0.19


def test_holder_may_renew_a_lapsed_lease_that_nobody_has_reaped(store: Store, holding: Holding) -> None:
    lapse(store, holding.lease)
    store.leases.renew(holding.lease)
    assert store.leases.reap() == ()


def test_lost_job_goes_back_until_no_attempt_is_left(store: Store, claim: Callable[..., Holding]) -> None:
    lease = claim(max_attempts=2).lease
    lapse(store, lease)
    (job,) = store.leases.reap()
    assert (job.state, job.attempts_used, job.failure_kind) == (JobState.QUEUED, 1, None)
    second = store.leases.claim("w")
    assert second is not None
    lapse(store, second)
    (job,) = store.leases.reap()
    assert (job.state, job.attempts_used, job.failure_kind) == (JobState.FAILED, 2, FailureKind.LOST_WORKER)
    assert job.failure is not None
    assert "'w'" in job.failure["detail"]
    assert job.finished_at is not None


def test_lost_job_follows_what_was_asked_of_its_holder(store: Store, claim: Callable[..., Holding]) -> None:
    cancelled, paused = claim(max_attempts=1), claim()
    store.jobs.request_cancel(cancelled.lease.job_id)
    store.jobs.request_pause(paused.lease.job_id)
    for holding in (cancelled, paused):
        lapse(store, holding.lease)
    states = {job.id: job.state for job in store.leases.reap()}
    assert states == {cancelled.lease.job_id: JobState.CANCELLED, paused.lease.job_id: JobState.PAUSED}


def test_release_and_pause_use_no_attempt(store: Store, claim: Callable[..., Holding]) -> None:
    holding = claim(max_attempts=1)
    for _ in range(3):
        assert holding.release() is JobState.QUEUED
        lease = store.leases.claim("w")
        assert lease is not None
        holding = store.hold(lease)
    assert holding.job.attempts_used == 0
    assert holding.lease.attempt == 4


def test_failure_is_final_unless_a_retry_is_asked_for_and_left(store: Store, claim: Callable[..., Holding]) -> None:
    problem = {"title": "no such column", "where": "tasks[0].label"}
    assert claim().fail(FailureKind.DATA_ERROR, problem) is JobState.FAILED
    holding = claim(max_attempts=2)
    assert holding.fail(FailureKind.OUT_OF_MEMORY, problem, retry=True) is JobState.QUEUED
    again = store.leases.claim("w")
    assert again is not None
    assert store.hold(again).fail(FailureKind.OUT_OF_MEMORY, problem, retry=True) is JobState.FAILED
    job = store.jobs.get(again.job_id)
    assert (job.failure_kind, job.failure) == (FailureKind.OUT_OF_MEMORY, problem)
    states = [event.payload for event in store.events.after(job.id) if event.kind == "state"]
    assert states[2]["failure"] == problem  # the first attempt's failure is kept as an event
