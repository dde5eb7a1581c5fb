"""The pages, one function each: what is asked for, one look into the store, one template."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from api.answers.cataloguing import catalogue_datasets
from api.answers.fronts import front_of
from api.dashboard import charts, views
from api.dashboard.rendering import HERE, page
from api.dependencies import Identifier, SettingsParam, StoreParam
from mtnas.errors import NotFoundError
from mtnas.reports.evidence import evidence
from mtnas.store import JobKind, JobState

router = APIRouter(include_in_schema=False)

ROWS = 50
_SVG = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cache-Control": "no-store",
}
_STATIC = {"style.css": "text/css", "htmx.min.js": "text/javascript", "icon.svg": "image/svg+xml"}
Text = Annotated[str | None, Query(max_length=200)]


@router.get("/static/{name}")
def static(name: Identifier) -> FileResponse:
    """A file of the dashboard: its style, htmx, its icon."""
    if name not in _STATIC:
        raise NotFoundError(expected=f"one of {sorted(_STATIC)}", found=repr(name), where="static")
    return FileResponse(HERE / "static" / name, media_type=_STATIC[name], headers={"Cache-Control": "max-age=3600"})


@router.get("/")
def jobs(request: Request, store: StoreParam, state: Text = None, before: Text = None) -> HTMLResponse:
    """Jobs, newest first."""
    states = [str(known) for known in JobState]
    chosen = JobState(state) if state in states else None
    found = store.jobs.list(state=chosen, limit=ROWS, before=before)
    following = found[-1].id if len(found) == ROWS else None
    return page(request, "jobs.html", {"jobs": found, "states": states, "state": chosen, "following": following})


@router.get("/new")
def new_job(request: Request) -> HTMLResponse:
    """A form for a job specification."""
    return page(request, "new.html", {"text": None, "plan": None, "problems": []})


@router.get("/jobs/{job_id}")
def job(request: Request, job_id: Identifier, store: StoreParam) -> HTMLResponse:
    """One job at work: its phase, its progress, its best routes."""
    found = store.jobs.get(job_id)
    searched = found.kind in (JobKind.SEARCH, JobKind.EXTEND)
    routes = views.answer_routes(store, job_id) if searched else ()
    report = views.report_of(store, job_id) if searched else None
    answer = {"routes": routes, "figures": views.figures_of(routes), "report": report, "searched": searched}
    return page(request, "job.html", {"job": found, "can": views.can(found.kind, found.state)} | answer)


@router.get("/jobs/{job_id}/state")
def job_state(request: Request, job_id: Identifier, store: StoreParam) -> HTMLResponse:
    """The part of a job's page that changes while it works; htmx asks for it again until the job has ended."""
    found = store.jobs.get(job_id)
    return page(request, "job_state.html", {"job": found, "can": views.can(found.kind, found.state)})


@router.get("/jobs/{job_id}/routes")
def job_routes(
    request: Request, job_id: Identifier, store: StoreParam, sort: str = "rank", start: Annotated[int, Query(ge=0)] = 0
) -> HTMLResponse:
    """A job's routes as a table that can be sorted by any figure."""
    found = store.jobs.get(job_id)
    routes = store.routes.list(job_id=job_id, sort=sort, limit=ROWS, offset=start)
    values = {"routes": routes, "figures": views.figures_of(routes), "sort": sort, "start": start, "rows": ROWS}
    return page(request, "routes.html", {"job": found} | values)


@router.get("/jobs/{job_id}/report")
def report(request: Request, job_id: Identifier, store: StoreParam) -> HTMLResponse:
    """The answer of a job: verdict, table, gains."""
    found, answer = store.jobs.get(job_id), store.reports.get(job_id).report
    return page(request, "report.html", {"job": found, "report": answer, "evidence": evidence(answer)})


@router.get("/jobs/{job_id}/charts/{name}")
def chart(job_id: Identifier, name: Identifier, store: StoreParam) -> Response:
    """A chart of a job: ``trials``, ``gains`` or ``front``, as SVG or (``.json``) as Vega-Lite."""
    kind, _, ending = name.partition(".")
    found = store.jobs.get(job_id)
    metric, _ = views.first_metric(found.spec)
    if kind == "trials":
        spec = charts.trials_chart(views.trial_points(store, job_id, found.spec), metric)
    elif kind == "gains":
        spec = charts.gains_chart(views.gain_rows(store.reports.get(job_id).report))
    elif kind == "front":
        on_front = {route.digest for route in front_of(store, job_id)}
        routes = store.routes.list(job_id=job_id, sort="rank", limit=views.MOST_POINTS)
        spec = charts.front_chart(views.front_points(routes, on_front, metric), "parameters", metric)
    else:
        raise NotFoundError(expected="trials, gains or front", found=repr(kind), where="chart")
    if ending == "json":
        return JSONResponse(spec)
    return Response(charts.to_svg(spec), media_type="image/svg+xml", headers=_SVG)


@router.get("/routes/{digest}")
def route(request: Request, digest: Identifier, store: StoreParam, job_id: Text = None) -> HTMLResponse:
    """One route: its drawing, figures and exports."""
    found = store.routes.get(digest, job_id=job_id)
    exports = store.exports.list(route_digest=digest, limit=20)
    best = store.routes.list(job_id=found.job_id, sort="rank", limit=20)
    rivals = [other for other in best if other.digest != digest]
    return page(request, "route.html", {"route": found, "exports": exports, "others": rivals})


@router.get("/compare")
def compare(request: Request, store: StoreParam, job_id: str, first: str, second: str) -> HTMLResponse:
    """Two routes of a job side by side."""
    pair = [store.routes.get(digest, job_id=job_id) for digest in (first, second)]
    return page(request, "compare.html", {"pair": pair, "compared": views.compared(*pair), "job_id": job_id})


@router.get("/datasets")
def datasets(request: Request, store: StoreParam) -> HTMLResponse:
    """Data sets of the catalogue and registered ones."""
    return page(
        request, "datasets.html", {"catalogue": catalogue_datasets(), "datasets": store.datasets.list(limit=200)}
    )


@router.get("/system")
def system(request: Request, store: StoreParam, settings: SettingsParam) -> HTMLResponse:
    """What works at the moment, and what waits."""
    store.check()
    running = store.jobs.list(state=JobState.RUNNING, limit=ROWS)
    queued = store.jobs.list(state=JobState.QUEUED, limit=ROWS)
    return page(request, "system.html", {"running": running, "queued": queued, "settings": settings})
