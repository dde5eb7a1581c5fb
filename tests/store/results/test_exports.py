"""Exports: promised, then fulfilled or failed, and never left hanging."""

from __future__ import annotations

import pytest

from mtnas.errors import ConflictError, NotFoundError
from mtnas.store import FailureKind, Holding, JobKind, RouteRecord, Store, WorkState
from tests.store.values import GRAPH, new_route


@pytest.fixture
def route(store: Store, holding: Holding) -> RouteRecord:
    holding.add_graphs({"graph": GRAPH})
    holding.add_routes([new_route("r")])
    return store.routes.get("r")


def test_export_of_the_search_job_is_promised_once_and_fulfilled(store: Store, holding: Holding) -> None:
    export = holding.add_export("r")
    assert holding.add_export("r") == export
    assert export.state is WorkState.PENDING
    sha256 = store.artifacts.put_bytes(b"zip")
    ready = holding.finish_export(export.id, sha256, {"format": 1})
    assert (ready.state, ready.artifact, ready.manifest) == (WorkState.READY, sha256, {"format": 1})
    assert ready.finished_at is not None
    assert holding.finish_export(export.id, sha256, {"format": 1}) == ready
    with pytest.raises(ConflictError, match="ready"):
        holding.fail_export(export.id, {})


def test_export_on_demand_is_a_job_and_its_promise(store: Store, route: RouteRecord) -> None:
    spec = {"route": route.digest, "job_id": route.job_id}
    export, created = store.exports.submit(route, spec, idempotency_key="key")
    assert created
    assert store.exports.submit(route, spec, idempotency_key="key") == (export, False)
    job = store.jobs.get(export.job_id)
    assert (job.kind, job.spec) == (JobKind.EXPORT, spec)
    lease = store.leases.claim("w")
    assert lease is not None
    assert store.hold(lease).add_export(route.digest) == export


def test_failed_job_fails_its_pending_exports_with_the_reason(store: Store, route: RouteRecord) -> None:
    export, _ = store.exports.submit(route, {})
    lease = store.leases.claim("w")
    assert lease is not None
    store.hold(lease).fail(FailureKind.DIVERGED, {"title": "loss is not finite"})
    failed = store.exports.get(export.id)
    assert (failed.state, failed.failure) == (WorkState.FAILED, {"title": "loss is not finite"})


def test_cancelled_job_leaves_no_pending_export(store: Store, route: RouteRecord) -> None:
    export, _ = store.exports.submit(route, {})
    store.jobs.request_cancel(export.job_id)
    failed = store.exports.get(export.id)
    assert failed.state is WorkState.FAILED
    assert failed.failure is not None
    assert "cancelled" in failed.failure["title"]


def test_pending_export_survives_a_lost_attempt(store: Store, holding: Holding) -> None:
    export = holding.add_export("r")
    holding.release()
    assert store.exports.get(export.id) == export


def test_exports_list_by_job_route_and_owner(store: Store, holding: Holding, route: RouteRecord) -> None:
    ours = holding.add_export("r")
    theirs, _ = store.exports.submit(route, {}, owner="them")
    assert store.exports.list() == (theirs, ours)
    assert store.exports.list(job_id=ours.job_id) == (ours,)
    assert store.exports.list(route_digest="r", owner="them") == (theirs,)
    assert store.exports.list(route_digest="other") == ()
    assert store.exports.list(limit=1, offset=1) == (ours,)
    with pytest.raises(NotFoundError):
        store.exports.get(ours.id, owner="them")


def test_holder_cannot_touch_exports_of_other_jobs(store: Store, holding: Holding, route: RouteRecord) -> None:
    other, _ = store.exports.submit(route, {})
    with pytest.raises(NotFoundError):
        holding.fail_export(other.id, {})
    assert store.exports.get(other.id).state is WorkState.PENDING
