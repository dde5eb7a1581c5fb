"""Deleting jobs: nothing of them is left but that they have read a test part, and nothing that is needed goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from mtnas.errors import ConflictError, NotFoundError
from mtnas.store import Holding, JobKind, Store
from mtnas.store.tables import METADATA
from tests.store.values import GRAPH, complete, new_route, new_trial


def full(holding: Holding, store: Store) -> str:
    """A finished job with a row of every kind."""
    holding.add_graphs({"graph": GRAPH})
    holding.add_trials([new_trial(0)])
    holding.finish_trials([complete(0, gain=1.0)])
    sha256 = store.artifacts.put_bytes(holding.lease.job_id.encode())
    holding.save_checkpoint("policy", sha256)
    holding.add_routes([new_route("r")])
    holding.put_report({"best": "r"})
    holding.count_test_read("data")
    holding.finish_export(holding.add_export("r").id, sha256, {})
    holding.finish()
    return holding.lease.job_id


def rows_of(store: Store, job_id: str) -> dict[str, int]:
    """Rows that name the job, by table."""
    counts = {}
    with store._database.read() as connection:
        for table in METADATA.sorted_tables:
            if "job_id" in table.c:
                query = select(func.count()).select_from(table).where(table.c.job_id == job_id)
                counts[table.name] = int(connection.execute(query).scalar_one())
    return counts


def test_only_the_reading_of_the_test_part_stays(claim: Callable[..., Holding], store: Store) -> None:
    gone, other = full(claim(), store), full(claim(), store)
    before = rows_of(store, other)
    assert all(count for table, count in rows_of(store, gone).items() if table != "datasets")
    store.jobs.delete(gone)
    assert {table for table, count in rows_of(store, gone).items() if count} == {"test_reads"}
    assert rows_of(store, other) == before
    assert store.test_reads.count("data") == 2
    with pytest.raises(NotFoundError):
        store.jobs.get(gone)
    with pytest.raises(NotFoundError):
        store.jobs.delete(gone)


@pytest.mark.parametrize("state", ["queued", "running", "paused"])
def test_a_job_that_has_not_ended_stays(store: Store, state: str) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
    if state != "queued":
        lease = store.leases.claim("worker")
        assert lease is not None
        if state == "paused":
            store.jobs.request_pause(job.id)
            store.hold(lease).release()
    with pytest.raises(ConflictError, match=f"expected a job that is succeeded or failed or cancelled, found {state}"):
        store.jobs.delete(job.id)
    assert store.jobs.get(job.id).state == state


def test_a_job_stays_until_its_extension_has_ended(claim: Callable[..., Holding], store: Store) -> None:
    first = full(claim(), store)
    second, _ = store.jobs.submit(JobKind.EXTEND, "a", {}, extends=first)
    with pytest.raises(ConflictError, match=second.id):
        store.jobs.delete(first)
    store.jobs.request_cancel(second.id)
    store.jobs.delete(first)
    assert store.jobs.get(second.id).extends is None


def test_the_profile_of_a_data_set_stays(store: Store) -> None:
    dataset, _ = store.datasets.register("rows", {"kind": "file", "paths": ["rows.csv"]})
    store.jobs.request_cancel(dataset.job_id)
    with pytest.raises(ConflictError, match="data set 'rows'"):
        store.jobs.delete(dataset.job_id)


def test_jobs_of_others_cannot_be_deleted(claim: Callable[..., Holding], store: Store) -> None:
    theirs = full(claim(owner="them"), store)
    with pytest.raises(NotFoundError):
        store.jobs.delete(theirs, owner="us")
    assert store.jobs.get(theirs).owner == "them"
