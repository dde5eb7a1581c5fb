"""What pages show, put together from the store: plain values, a fixed number of queries a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtnas.errors import NotFoundError
from mtnas.store import JobKind, RouteRecord, RouteRole, Store
from mtnas.trials import TrialState

MOST_POINTS = 2000
"""Trials that a chart shows; of more, the newest."""


def report_of(store: Store, job_id: str) -> Mapping[str, Any] | None:
    """The job's report, or ``None`` before there is one."""
    try:
        return store.reports.get(job_id).report
    except NotFoundError:
        return None


def answer_routes(store: Store, job_id: str) -> tuple[RouteRecord, ...]:
    """The winner, the other finalists and the baselines; before there are any, the first routes of the search."""
    roles = (RouteRole.BEST, RouteRole.FINALIST, RouteRole.BASELINE)
    of_roles = [store.routes.list(job_id=job_id, role=role, sort="rank", limit=20) for role in roles]
    return tuple(route for routes in of_roles for route in routes) or store.routes.list(job_id=job_id, limit=10)


def first_metric(spec: Mapping[str, Any]) -> tuple[str, bool]:
    """The job's first objective, and whether larger is better."""
    objective = spec["objectives"][0]
    return objective["metric"], objective["direction"] == "max"


def trial_points(store: Store, job_id: str, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Trials of the search by number, with the best so far."""
    metric, larger = first_metric(spec)
    found = store.trials.list(job_id, phase="search", state=TrialState.COMPLETE, sort="-number", limit=MOST_POINTS)
    points: list[dict[str, Any]] = []
    best: float | None = None
    for trial in sorted(found, key=lambda trial: trial.number):
        value = trial.values.get(metric)
        if value is None or trial.label == "random":
            continue
        best = value if best is None else (max if larger else min)(best, value)
        points.append({"number": trial.number, "value": value, "best": best})
    return points


def gain_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Mean gains of a report's entrants with one deviation to each side."""
    rows = []
    for row in report.get("rows", ()):
        mean, deviation = row["mean_gain"]["mean"], row["mean_gain"]["deviation"] or 0.0
        if mean is not None:
            role = "best" if row["label"] == report["best"]["label"] else "other"
            span = {"low": mean - deviation, "high": mean + deviation}
            rows.append({"label": row["label"], "role": role, "mean": mean} | span)
    return rows


def front_points(routes: Sequence[RouteRecord], on_front: set[str], y: str) -> list[dict[str, Any]]:
    """Routes with the figure ``y``, by their parameters."""
    return [
        {"x": route.num_params, "y": route.values[y], "label": route.label, "front": route.digest in on_front}
        for route in routes
        if route.values.get(y) is not None
    ]


def figures_of(routes: Sequence[RouteRecord]) -> list[str]:
    """Names of the figures that routes of an answer carry, those of the search left out."""
    names = dict.fromkeys(name for route in routes for name in route.values)
    return [name for name in names if not name.startswith("search.")]


def compared(first: RouteRecord, second: RouteRecord) -> dict[str, Any]:
    """Two routes side by side: figures with their difference, and the parts of the text that only one has."""
    names = dict.fromkeys((*first.values, *second.values))
    parts = [set(route.text.replace(";", "; ").split("; ")) for route in (first, second)]
    return {
        "figures": [(name, first.values.get(name), second.values.get(name)) for name in names],
        "only": [sorted(parts[0] - parts[1]), sorted(parts[1] - parts[0])],
        "both": len(parts[0] & parts[1]),
    }


def can(job_kind: str, state: str) -> dict[str, bool]:
    """Which verbs a job takes in its state."""
    is_search = job_kind in (JobKind.SEARCH, JobKind.EXTEND)
    return {
        "cancel": state in ("queued", "running", "paused"),
        "pause": is_search and state == "running",
        "resume": is_search and state == "paused",
        "extend": is_search and state == "succeeded",
    }
