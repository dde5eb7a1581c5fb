"""Events: dense, in order, and about everything that moves a job."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from mtnas.store import Holding, Store


def test_events_are_dense_and_tell_the_jobs_life(store: Store, holding: Holding) -> None:
    job_id = holding.lease.job_id
    holding.start_phase("search")
    assert holding.event("note", {"loss": float("nan")}) == 4
    store.jobs.request_cancel(job_id)
    holding.cancelled()
    events = store.events.after(job_id)
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.kind for event in events] == ["state", "state", "phase", "note", "request", "state"]
    assert [event.payload.get("state") for event in events if event.kind == "state"] == [
        "queued",
        "running",
        "cancelled",
    ]
    assert events[3].payload == {"loss": None}
    assert all(earlier.at <= later.at for earlier, later in pairwise(events))


def test_reader_continues_after_the_last_event_it_saw(store: Store, holding: Holding) -> None:
    job_id = holding.lease.job_id
    for number in range(5):
        holding.event("note", {"number": number})
    first = store.events.after(job_id, limit=3)
    rest = store.events.after(job_id, first[-1].seq)
    assert [event.seq for event in (*first, *rest)] == list(range(1, 8))
    assert store.events.after(job_id, rest[-1].seq) == ()


def test_events_of_jobs_are_numbered_apart(store: Store, claim: Callable[..., Holding]) -> None:
    one, two = claim(), claim()
    assert one.event("note", {}) == 3
    assert two.event("note", {}) == 3
    assert len(store.events.after(one.lease.job_id)) == 3
