"""Requesting an export: a job that trains a known route as the search that found it would, and freezes it."""

from __future__ import annotations

from mtnas.errors import ConflictError
from mtnas.store import ExportRecord, JobKind, JobRecord, RouteRole, Store, WorkState


def request_export(store: Store, route_digest: str, *, job_id: str | None, idempotency_key: str | None) -> ExportRecord:
    """Queue the job. Its spec is self-contained: the specification of the search, the route and its graph.

    Args:
        store: where route and search are.
        route_digest: the route to export.
        job_id: the search whose settings count; by default the newest that has the route.
        idempotency_key: repeating a request with the same key makes no second job; without one, neither does asking
            for what the same search exports already, or has exported.

    Raises:
        NotFoundError: no such route, or not in that job.
        ConflictError: an ensemble that its job has not exported: it is no single route that could be trained again.
    """
    route = store.routes.get(route_digest, job_id=job_id)
    source = store.jobs.get(route.job_id)
    if route.role is RouteRole.ENSEMBLE:
        known = _wanted_already(store, route.digest, source)
        if known is not None:
            return known
        raise ConflictError(
            expected="one route, or an ensemble that its job has exported (export.top of at least 1)",
            found="an ensemble without an export",
            where=f"route {route.digest[:12]}",
        )
    spec = {
        "version": 1,
        "source_job": source.id,
        # A route may come from another export; that job's specification holds the search's.
        "job": source.spec["job"] if source.kind is JobKind.EXPORT else source.spec,
        "route": {
            "digest": route.digest,
            "text": route.text,
            "label": route.label,
            "graph": store.graphs.get(route.graph_digest),
            "details": route.details,
        },
    }
    if idempotency_key is None and (known := _wanted_already(store, route.digest, source)) is not None:
        return known
    export, _ = store.exports.submit(route, spec, idempotency_key=idempotency_key)
    return export


def _wanted_already(store: Store, route_digest: str, source: JobRecord) -> ExportRecord | None:
    for export in store.exports.list(route_digest=route_digest):
        if export.state is not WorkState.FAILED:
            job = store.jobs.get(export.job_id)
            if source.id in (job.id, job.spec.get("source_job")):
                return export
    return None
