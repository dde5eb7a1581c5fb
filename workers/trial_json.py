"""Trials as the store keeps them, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mtnas.routes import Route
from mtnas.store import NewTrial, TrialRecord, TrialResult
from mtnas.trials import Candidate, Evaluation, Settings, Trial


def new_trial(trial: Trial) -> NewTrial:
    """A trial that is about to run."""
    candidate = {
        "graph": trial.graph_digest,
        "route": trial.candidate.route.text,
        "settings": asdict(trial.candidate.settings),
    }
    return NewTrial(
        number=trial.number,
        phase=trial.phase,
        label=trial.label,
        candidate=candidate,
        route_digest=trial.route_digest,
        notes=trial.notes,
    )


def trial_result(trial: Trial) -> TrialResult:
    """How a trial ended."""
    return TrialResult(
        number=trial.number,
        state=trial.state,
        values=trial.values,
        evaluations=tuple(asdict(evaluation) for evaluation in trial.evaluations),
        failure=trial.failure,
        place=trial.place,
        notes=trial.notes,
    )


def stored_trial(record: TrialRecord) -> Trial:
    """The trial that a row tells of. The store keeps NaN as null; here it is NaN again."""
    candidate = record.candidate
    return Trial(
        number=record.number,
        phase=record.phase,
        label=record.label,
        candidate=Candidate(route=Route.parse(candidate["route"]), settings=Settings(**candidate["settings"])),
        state=record.state,
        graph_digest=candidate["graph"],
        route_digest=record.route_digest or "",
        evaluations=tuple(_evaluation(evaluation) for evaluation in record.evaluations),
        values=_numbers(record.values),
        place=record.place,
        failure=record.failure,
        notes=record.notes,
    )


def _evaluation(document: Mapping[str, Any]) -> Evaluation:
    return Evaluation(
        part=document["part"],
        per_task={task: _numbers(metrics) for task, metrics in document["per_task"].items()},
        costs=_numbers(document["costs"]),
    )


def _numbers(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in figures.items()}
