"""Jobs that are put aside are not there, come back whole, and go for good after a while; labels find jobs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtnas.errors import ConflictError, NotFoundError
from mtnas.store import Holding, JobKind, Store, Viewer
from tests.store.values import GRAPH, complete, new_route, new_trial


def ended(holding: Holding, store: Store) -> str:
    holding.add_trials([new_trial(0)])
    holding.finish_trials([complete(0, gain=1.0)])
    holding.add_graphs({"graph": GRAPH})
    holding.add_routes([new_route("r", rank=1)])
    holding.put_report({"best": "r"})
    holding.add_export("r")
    holding.finish()
    return holding.lease.job_id


def looks(store: Store, job_id: str) -> list[Callable[[], object]]:
    return [
        lambda: store.jobs.get(job_id),
        lambda: store.jobs.head(job_id),
        lambda: store.trials.get(job_id, 0),
        lambda: store.reports.get(job_id),
        lambda: store.routes.get("r"),
        lambda: store.trash.discard(job_id),
    ]


def lists(store: Store, job_id: str) -> list[object]:
    return [
        store.jobs.list(),
        store.trials.list(job_id),
        store.routes.list(),
        store.exports.list(),
        store.events.after(job_id),
        tuple(store.jobs.pulses([job_id])),
    ]


def test_a_job_that_was_put_aside_is_not_there_until_it_is_restored(holding: Holding, store: Store) -> None:
    job_id = ended(holding, store)
    before = lists(store, job_id)
    assert all(before)
    store.trash.discard(job_id)
    assert not any(lists(store, job_id))
    for look in looks(store, job_id):
        with pytest.raises(NotFoundError):
            look()
    assert [job.id for job in store.jobs.list(deleted=True)] == [job_id]
    assert store.trash.purge(older_than_s=3600) == ()
    store.trash.restore(job_id)
    assert [len(found) for found in lists(store, job_id)] == [len(found) for found in before]  # type: ignore[arg-type]
    assert store.jobs.list(deleted=True) == ()
    store.trash.discard(job_id)
    assert store.trash.purge(older_than_s=-1) == (job_id,)
    with pytest.raises(NotFoundError):
        store.trash.restore(job_id)


def test_what_is_needed_or_somebody_elses_is_not_put_aside(claim: Callable[..., Holding], store: Store) -> None:
    running = claim()
    with pytest.raises(ConflictError):
        store.trash.discard(running.lease.job_id)
    running.finish()
    bobs = store.seen_by(Viewer(owner="bob", sees_all=False))
    for act in (bobs.trash.discard, bobs.trash.restore):
        with pytest.raises(NotFoundError):
            act(running.lease.job_id)


def test_an_idempotency_key_is_free_once_its_job_was_put_aside(store: Store) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "a", {}, idempotency_key="key")
    store.jobs.request_cancel(job.id)
    store.trash.discard(job.id)
    again, is_new = store.jobs.submit(JobKind.SEARCH, "b", {}, idempotency_key="key")
    assert is_new
    assert again.id != job.id


def test_jobs_are_found_by_labels_and_names(store: Store) -> None:
    first, second = (store.jobs.submit(JobKind.SEARCH, name, {})[0] for name in ("Clicks 100%", "clicks 1000"))
    store.jobs.annotate(first.id, labels={"team": "ads", "a.b-c": "x'\"y"}, note="the one")
    store.jobs.annotate(second.id, labels={"team": "search"})
    assert store.jobs.get(first.id).note == "the one"
    for labels, name, found in (
        ({"team": "ads"}, None, [first]),
        ({"team": "ads", "a.b-c": "x'\"y"}, None, [first]),
        ({"team": "ads", "a.b-c": "z"}, None, []),
        ({"nobody": "ads"}, None, []),
        ({}, "CLICKS", [second, first]),
        ({}, "100%", [first]),
        ({"team": "search"}, "clicks", [second]),
    ):
        assert [job.id for job in store.jobs.list(labels=labels, name=name)] == [job.id for job in found]
    store.jobs.annotate(first.id, note="")
    assert (store.jobs.get(first.id).note, store.jobs.get(first.id).labels["team"]) == ("", "ads")
