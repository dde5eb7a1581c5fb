"""Data sets: a name for a source, and a job that looks at it."""

from __future__ import annotations

import pytest

from mtnas.errors import ConflictError, NotFoundError
from mtnas.store import FailureKind, Holding, JobKind, Store, WorkState

SOURCE = {"kind": "file", "paths": ["a.csv"]}


def claimed(store: Store) -> Holding:
    lease = store.leases.claim("w", kinds=[JobKind.PROFILE])
    assert lease is not None
    return store.hold(lease)


def test_registering_queues_the_profile_job(store: Store) -> None:
    dataset, created = store.datasets.register("flights", SOURCE)
    assert created
    assert (dataset.state, dataset.source) == (WorkState.PENDING, SOURCE)
    job = store.jobs.get(dataset.job_id)
    assert job.kind is JobKind.PROFILE
    assert job.spec == {"dataset_id": dataset.id, "name": "flights", "source": SOURCE}


def test_profile_makes_it_ready(store: Store) -> None:
    dataset, _ = store.datasets.register("flights", SOURCE)
    holding = claimed(store)
    holding.set_profile(dataset.id, {"rows": 3, "max": float("inf")}, "digest")
    holding.finish()
    ready = store.datasets.get("flights")
    assert (ready.state, ready.profile, ready.digest) == (WorkState.READY, {"rows": 3, "max": None}, "digest")
    assert store.datasets.get(dataset.id) == ready


def test_registering_the_same_again_changes_nothing(store: Store) -> None:
    dataset, _ = store.datasets.register("flights", SOURCE)
    assert store.datasets.register("flights", SOURCE) == (dataset, False)
    assert len(store.jobs.list()) == 1


def test_a_name_stands_for_one_source_of_its_owner(store: Store) -> None:
    store.datasets.register("flights", SOURCE, owner="us")
    with pytest.raises(ConflictError, match="'flights'"):
        store.datasets.register("flights", {"kind": "file", "paths": ["b.csv"]}, owner="us")
    theirs, created = store.datasets.register("flights", {"kind": "file", "paths": ["b.csv"]}, owner="them")
    assert created
    assert store.datasets.get("flights", owner="them") == theirs
    assert len(store.datasets.list()) == 2
    assert store.datasets.list(owner="them") == (theirs,)
    with pytest.raises(NotFoundError):
        store.datasets.get(theirs.id, owner="us")


def test_failed_profile_says_why_and_may_be_tried_again(store: Store) -> None:
    dataset, _ = store.datasets.register("flights", SOURCE)
    claimed(store).fail(FailureKind.DATA_ERROR, {"title": "no such file"})
    failed = store.datasets.get("flights")
    assert (failed.state, failed.failure) == (WorkState.FAILED, {"title": "no such file"})
    again, created = store.datasets.register("flights", {"kind": "file", "paths": ["b.csv"]})
    assert created
    assert (again.id, again.state, again.failure) == (dataset.id, WorkState.PENDING, None)
    assert again.job_id != dataset.job_id


def test_only_its_own_job_may_profile_a_data_set(store: Store, holding: Holding) -> None:
    dataset, _ = store.datasets.register("flights", SOURCE)
    with pytest.raises(NotFoundError):
        holding.set_profile(dataset.id, {}, "digest")
    assert store.datasets.get("flights").state is WorkState.PENDING


def test_job_that_ends_without_a_profile_fails_the_data_set(store: Store) -> None:
    store.datasets.register("flights", SOURCE)
    claimed(store).finish()
    assert store.datasets.get("flights").state is WorkState.FAILED
