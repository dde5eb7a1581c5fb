"""Routes: what searches found, within a job and across jobs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.answers.fronts import covered, front_of
from api.dependencies import Identifier, Limit, Offset, StoreParam, next_offset
from mtnas.messages import Front, Route, RoutePage
from mtnas.routes import Route as RouteValue
from mtnas.routes import RouteGraph, to_svg
from mtnas.store import RouteRecord, RouteRole

router = APIRouter(prefix="/v1", tags=["routes"])

_SVG_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


class RouteFormat(StrEnum):
    """How a route is shown."""

    JSON = "json"
    SVG = "svg"


@router.get("/jobs/{job_id}/routes")
def list_job_routes(
    job_id: Identifier,
    store: StoreParam,
    offset: Offset,
    role: RouteRole | None = None,
    sort: str = "rank",
    limit: Limit = 20,
) -> RoutePage:
    """Routes of a job by a figure (``-`` before its name: largest first)."""
    store.jobs.get(job_id)
    found = store.routes.list(job_id=job_id, role=role, sort=sort, limit=limit, offset=offset)
    return _page(found, limit=limit, offset=offset)


@router.get("/jobs/{job_id}/front")
def get_front(job_id: Identifier, store: StoreParam) -> Front:
    """The routes of a job that no other beats on every objective of the job, and their hypervolume."""
    routes = tuple(Route.model_validate(record) for record in front_of(store, job_id))
    return Front(items=routes, **covered(store, job_id))


@router.get("/routes")
def list_routes(
    store: StoreParam,
    offset: Offset,
    data_digest: str | None = None,
    graph_digest: str | None = None,
    role: RouteRole | None = None,
    sort: str = "rank",
    limit: Limit = 20,
) -> RoutePage:
    """Routes of all jobs. Figures compare within one ``data_digest`` only."""
    found = store.routes.list(
        data_digest=data_digest, graph_digest=graph_digest, role=role, sort=sort, limit=limit, offset=offset
    )
    return _page(found, limit=limit, offset=offset)


@router.get(
    "/routes/{route_id}",
    response_model=Route,
    responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}},
)
def get_route(
    route_id: Identifier,
    store: StoreParam,
    job_id: str | None = None,
    shown: Annotated[RouteFormat, Query(alias="format")] = RouteFormat.JSON,
) -> RouteRecord | Response:
    """One route with the figures of one job (by default the newest that has it), or its drawing."""
    record = store.routes.get(route_id, job_id=job_id)
    if shown is RouteFormat.JSON:
        return record
    graph = RouteGraph.from_json(store.graphs.get(record.graph_digest))
    drawing = to_svg(graph, RouteValue.parse(record.text), title=record.label)
    return Response(drawing, media_type="image/svg+xml", headers=_SVG_HEADERS)


def _page(found: tuple[RouteRecord, ...], *, limit: int, offset: int) -> RoutePage:
    items = tuple(Route.model_validate(record) for record in found)
    return RoutePage(items=items, next=next_offset(len(found), limit=limit, offset=offset))
