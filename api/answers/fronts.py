"""The front of a job: its routes that no other beats on every objective."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mtnas.errors import NotFoundError
from mtnas.search.fronts.pareto import front
from mtnas.spec import ObjectiveSpec
from mtnas.store import JobKind, RouteRecord, Store
from mtnas.trials import LATENCY

_COST_FIGURES = ("num_params", "macs")


def front_of(store: Store, job_id: str) -> tuple[RouteRecord, ...]:
    """Routes on the front of the job's objectives, best on the first objective first.

    Routes without one of the figures, such as those that were not retrained, are on no front; nor are those that were
    measured to break ``constraints.max_latency_us``.

    Raises:
        NotFoundError: no such job.
    """
    job = store.jobs.get(job_id)
    if job.kind not in (JobKind.SEARCH, JobKind.EXTEND):
        return ()
    objectives = [ObjectiveSpec.model_validate(given).to_objective() for given in job.spec["objectives"]]
    most_us = job.spec["constraints"].get("max_latency_us")
    known = store.routes.list(job_id=job_id, limit=None)
    routes = [route for route in known if most_us is None or _figure(route, LATENCY) <= most_us]
    figures = [[each.signed(_figure(route, each.metric)) for each in objectives] for route in routes]
    points = np.array(figures, dtype=np.float64).reshape(len(routes), len(objectives))
    chosen = sorted(np.flatnonzero(front(points)).tolist(), key=lambda index: -points[index, 0])
    return tuple(routes[index] for index in chosen)


def covered(store: Store, job_id: str) -> dict[str, Any]:
    """What the job's report says its front covers; nothing before there is one."""
    try:
        told = store.reports.get(job_id).report.get("front", {})
    except NotFoundError:
        return {}
    return {name: told.get(name) for name in ("reference", "hypervolume", "of_baselines")}


def _figure(route: RouteRecord, metric: str) -> float:
    if metric in _COST_FIGURES:
        return float(route.num_params if metric == "num_params" else route.macs)
    value = route.values.get(metric, route.values.get(f"test.{metric}"))
    return math.nan if value is None else value
