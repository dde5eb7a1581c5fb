"""Jobs, as everybody may use them, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from mtnas.errors import ConflictError, NotFoundError, SpecError
from mtnas.store import Holding, JobKind, JobState, Store


def test_submitted_job_is_queued_with_its_spec(store: Store) -> None:
    spec = {"version": 1, "lr": 1e-3, "tasks": [{"name": "ctr"}], "text": "ünïcode 'quoted' \"twice\""}
    job, created = store.jobs.submit(JobKind.SEARCH, "first", spec)
    assert created
    assert (job.state, job.attempt, job.spec, job.owner) == (JobState.QUEUED, 0, spec, "local")
    assert store.jobs.get(job.id) == job


def test_times_are_aware_and_the_databases(store: Store) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "first", {})
    assert job.created_at.tzinfo is UTC
    assert abs(job.created_at - datetime.now(UTC)) < timedelta(seconds=10)


def test_same_key_and_request_give_the_first_job_back(store: Store) -> None:
    first, created = store.jobs.submit(JobKind.SEARCH, "a", {"x": (1, float("nan"))}, idempotency_key="key")
    again, created_again = store.jobs.submit(JobKind.SEARCH, "a", {"x": (1, float("nan"))}, idempotency_key="key")
    assert (created, created_again) == (True, False)
    assert first == again
    assert len(store.jobs.list()) == 1


@pytest.mark.parametrize(
    ("kind", "name", "spec"),
    [(JobKind.SEARCH, "a", {"x": 2}), (JobKind.SEARCH, "b", {"x": 1}), (JobKind.EXTEND, "a", {"x": 1})],
)
def test_same_key_for_another_request_conflicts(store: Store, kind: JobKind, name: str, spec: dict[str, int]) -> None:
    store.jobs.submit(JobKind.SEARCH, "a", {"x": 1}, idempotency_key="key")
    with pytest.raises(SpecError, match="'key'"):
        store.jobs.submit(kind, name, spec, idempotency_key="key")
    assert len(store.jobs.list()) == 1


def test_owners_may_use_the_same_key(store: Store) -> None:
    ours, _ = store.jobs.submit(JobKind.SEARCH, "a", {}, owner="us", idempotency_key="key")
    theirs, created = store.jobs.submit(JobKind.SEARCH, "b", {}, owner="them", idempotency_key="key")
    assert created
    assert ours.id != theirs.id


def test_jobs_of_others_do_not_seem_to_exist(store: Store) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "a", {}, owner="us")
    assert store.jobs.get(job.id, owner="us") == job
    for forbidden in (store.jobs.get, store.jobs.request_cancel, store.jobs.request_pause, store.jobs.resume):
        with pytest.raises(NotFoundError):
            forbidden(job.id, owner="them")
    assert store.jobs.list(owner="them") == ()
    assert store.jobs.counts(owner="them")[JobState.QUEUED] == 0
    assert store.jobs.get(job.id).state is JobState.QUEUED


def test_list_gives_newest_first_in_pages_without_overlap(store: Store) -> None:
    ids = [store.jobs.submit(JobKind.SEARCH, str(number), {})[0].id for number in range(5)]
    first = store.jobs.list(limit=2)
    second = store.jobs.list(limit=2, before=first[-1].id)
    third = store.jobs.list(limit=2, before=second[-1].id)
    assert [job.id for job in (*first, *second, *third)] == ids[::-1]


def test_list_filters_by_state_and_kind(store: Store) -> None:
    store.jobs.submit(JobKind.PROFILE, "a", {})
    search, _ = store.jobs.submit(JobKind.SEARCH, "b", {})
    store.jobs.request_cancel(search.id)
    assert [job.name for job in store.jobs.list(state=JobState.QUEUED)] == ["a"]
    assert [job.name for job in store.jobs.list(kind=JobKind.SEARCH)] == ["b"]
    assert store.jobs.counts() == dict.fromkeys(JobState, 0) | {JobState.QUEUED: 1, JobState.CANCELLED: 1}


def test_cancelling_a_queued_job_is_immediate(store: Store) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
    assert store.jobs.request_cancel(job.id).state is JobState.CANCELLED
    assert store.leases.claim("worker") is None


def test_cancelling_a_running_job_reaches_its_holder_by_heartbeat(store: Store, holding: Holding) -> None:
    assert not store.leases.renew(holding.lease).cancel
    assert store.jobs.request_cancel(holding.lease.job_id).state is JobState.RUNNING
    assert store.leases.renew(holding.lease).cancel
    holding.cancelled()
    assert store.jobs.get(holding.lease.job_id).state is JobState.CANCELLED


def test_cancelling_twice_is_harmless_and_told_once(store: Store, holding: Holding) -> None:
    for _ in range(2):
        store.jobs.request_cancel(holding.lease.job_id)
    holding.cancelled()
    store.jobs.request_cancel(holding.lease.job_id)
    kinds = [event.kind for event in store.events.after(holding.lease.job_id)]
    assert kinds == ["state", "state", "request", "state"]


@pytest.mark.parametrize("asked", ["request_cancel", "request_pause", "resume"])
def test_finished_jobs_take_no_requests(store: Store, holding: Holding, asked: str) -> None:
    holding.finish()
    with pytest.raises(ConflictError, match="succeeded"):
        getattr(store.jobs, asked)(holding.lease.job_id)


def test_pause_waits_for_the_holder_and_resume_queues_again(store: Store, holding: Holding) -> None:
    job_id = holding.lease.job_id
    store.jobs.request_pause(job_id)
    assert store.leases.renew(holding.lease).pause
    assert holding.release() is JobState.PAUSED
    assert store.leases.claim("worker") is None
    assert store.jobs.resume(job_id).state is JobState.QUEUED
    lease = store.leases.claim("worker")
    assert lease is not None
    assert not store.leases.renew(lease).pause
    assert lease.attempt == 2
    assert store.jobs.get(job_id).attempts_used == 0


def test_resume_takes_back_a_pause_that_nobody_followed(store: Store, holding: Holding) -> None:
    store.jobs.request_pause(holding.lease.job_id)
    store.jobs.resume(holding.lease.job_id)
    assert not store.leases.renew(holding.lease).pause
    assert holding.release() is JobState.QUEUED


def test_queued_jobs_cannot_pause(store: Store) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
    with pytest.raises(ConflictError, match="queued"):
        store.jobs.request_pause(job.id)


def test_paused_job_can_be_cancelled(store: Store, holding: Holding) -> None:
    store.jobs.request_pause(holding.lease.job_id)
    holding.release()
    assert store.jobs.request_cancel(holding.lease.job_id).state is JobState.CANCELLED


def test_unknown_jobs_are_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="'nothing'"):
        store.jobs.get("nothing")


def test_odd_text_is_stored_by_both_databases(store: Store) -> None:
    odd = "nul \0, surrogate \ud800, emoji 😀"
    job, _ = store.jobs.submit(JobKind.SEARCH, odd, {odd: odd}, idempotency_key=odd)
    again, created = store.jobs.submit(JobKind.SEARCH, odd, {odd: odd}, idempotency_key=odd)
    assert job == again
    assert not created
    assert job.name.endswith("emoji 😀")
    assert job.spec == {job.name: job.name}


@pytest.mark.parametrize("ends", [Holding.finish, Holding.cancelled, Holding.release])
def test_a_job_keeps_phase_and_progress_after_its_holder_is_gone(
    store: Store, claim: Callable[..., Holding], ends: Callable[[Holding], object]
) -> None:
    holding = claim()
    holding.start_phase("search")
    holding.progress({"done": 3, "rate": float("inf")})
    ends(holding)
    job = store.jobs.get(holding.lease.job_id)
    assert (job.phase, job.progress) == ("search", {"done": 3, "rate": None})
    assert job.worker is None


def test_a_job_that_finishes_while_it_is_paused_has_finished(claim: Callable[..., Holding], store: Store) -> None:
    """Whoever comes first: the pause is noted and passed over, or refused; never a job that is paused and done."""
    for _ in range(12):
        holding = claim()
        job_id, together = holding.lease.job_id, Barrier(2)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(lambda job_id=job_id, meet=together: (meet.wait(), store.jobs.request_pause(job_id)))
            together.wait()
            holding.finish()
            refusal = asked.exception()
        assert refusal is None or (isinstance(refusal, ConflictError) and refusal.found == JobState.SUCCEEDED)
        job = store.jobs.get(job_id)
        assert (job.state, job.pause_requested, job.worker) == (JobState.SUCCEEDED, False, None)
        assert store.leases.claim("another worker") is None


def test_a_job_that_is_resumed_while_it_is_let_go_is_queued(claim: Callable[..., Holding], store: Store) -> None:
    for _ in range(12):
        holding = claim()
        job_id, together = holding.lease.job_id, Barrier(2)
        store.jobs.request_pause(job_id)
        with ThreadPoolExecutor(1) as pool:
            resumed = pool.submit(lambda job_id=job_id, meet=together: (meet.wait(), store.jobs.resume(job_id)))
            together.wait()
            holding.release()
            resumed.result()
        assert store.jobs.get(job_id).state is JobState.QUEUED
        store.jobs.request_cancel(job_id)


def test_the_end_of_a_search_is_told_once(holding: Holding, store: Store) -> None:
    for detail in ("4 trials", "4 trials", "8 trials"):
        holding.search_ended({"reason": "trials", "detail": detail})
    told = [e.payload["detail"] for e in store.events.after(holding.lease.job_id) if e.kind == "search_ended"]
    assert told == ["4 trials", "8 trials"]
    assert store.jobs.get(holding.lease.job_id).stop == {"reason": "trials", "detail": "8 trials"}
