"""The front of a job's entrants on ``test``, and its hypervolume beyond the baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtnas.run.phases.search import is_random
from mtnas.search.fronts.hypervolume import coverage
from mtnas.search.fronts.pareto import front
from mtnas.spec import JobSpec
from mtnas.trials import LATENCY


def front_facts(spec: JobSpec, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Who is on the front, and for two or more objectives how much it covers.

    The reference point has the worst figure of the named baselines on every objective: no search, the random one
    included, has a say in it. ``hypervolume`` is in the product of the objectives' units, so it compares with
    ``of_baselines``, what the named baselines cover alone, and with fronts of the same reference.

    Args:
        spec: the job's objectives and limits.
        rows: of the report; those of routes beyond ``constraints.max_latency_us`` are on no front.
    """
    objectives = [objective.to_objective() for objective in spec.objectives]
    figures = [[each.signed(_figure(row, each.metric)) for each in objectives] for row in rows]
    points = np.array(figures, dtype=np.float64).reshape(len(rows), len(objectives))
    most = spec.constraints.max_latency_us
    if most is not None:
        points[[row[LATENCY] is None or row[LATENCY] > most for row in rows]] = np.nan
    named = np.array([row["role"] == "baseline" and not is_random(row["label"]) for row in rows], dtype=np.bool_)
    covered = coverage(points, is_baseline=named)
    chosen = sorted(np.flatnonzero(front(points)).tolist(), key=lambda place: -points[place, 0])
    signed = () if covered is None else covered.reference
    return {
        "labels": [rows[place]["label"] for place in chosen],
        "reference": {each.metric: each.signed(value) for each, value in zip(objectives, signed, strict=False)},
        "hypervolume": None if covered is None else covered.of_all,
        "of_baselines": None if covered is None else covered.of_baselines,
    }


def _figure(row: Mapping[str, Any], metric: str) -> float:
    """A row's figure by an objective's name; NaN where there is none."""
    task, _, _ = metric.partition(".")
    cell = row["per_task"][task]["test"] if task in row["per_task"] else row[metric]
    value = cell["mean"] if isinstance(cell, Mapping) else cell
    return math.nan if value is None else float(value)
