"""The ensemble's row of the report: what it costs, who is in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from mtnas.ensembles.task_model import KINDS, Kind, TaskModel
from mtnas.run.context import Context
from mtnas.run.judging.brought import brought
from mtnas.run.judging.gains_by_seed import gains_by_seed, gains_of
from mtnas.run.judging.statistics import summary
from mtnas.run.phases.ensemble import Ensemble, Mixed, members_of
from mtnas.run.phases.retrain import Entrant
from mtnas.run.phases.search import is_random
from mtnas.run.task_models.fitted import kept_model

ENSEMBLE = "ensemble"


def ensemble_row(
    context: Context, entrants: Sequence[Entrant], mixed: Mixed, gains: Mapping[int, Mapping[str, float]]
) -> dict[str, Any]:
    """A row like those of the networks; its costs are those of all its members together.

    Args:
        context: the job.
        entrants: of the report.
        mixed: the ensemble.
        gains: by seed of single-task training, over which they are: there is one ensemble.
    """
    members = members_of(mixed, entrants)
    costs = [context.cost(entrant.graph, entrant.route) for entrant, _ in members]
    models = [model for _, model in models_of(context, mixed)]
    return {
        "label": ENSEMBLE,
        "role": ENSEMBLE,
        "route_digest": mixed.digest,
        "num_params": sum(cost.num_params for cost in costs) + sum(model.num_params for model in models),
        "macs": sum(cost.macs for cost in costs) + sum(model.operations for model in models),
        "latency_us": None,
        "seeds": 1,
        "failed": 0,
        "lr": None,
        "settings": None,
        "valid_score": mixed.score if math.isfinite(mixed.score) else None,
        "per_task": {
            task.name: {
                "metric": task.judged_by,
                "test": summary([mixed.metrics["test"][task.name][task.judged_by]]),
                "valid": summary([mixed.metrics["valid"][task.name][task.judged_by]]),
                "gain": _mean([of_seed[task.name] for of_seed in gains.values()]),
            }
            for task in context.tasks
        },
        "mean_gain": _mean([of_seed["mean_gain"] for of_seed in gains.values()]),
        "worst_gain": _mean([of_seed["worst_gain"] for of_seed in gains.values()]),
        "device_seconds": sum(trial.evaluations[0].costs["device_seconds"] for _, trial in members),
        "multiple_of_shared_bottom": None,
    }


def ensemble_facts(
    context: Context, entrants: Sequence[Entrant], winner: Entrant, together: Ensemble
) -> dict[str, Any]:
    """Who is in it, with which weights, and what each step from a hand-made network to it brought on ``test``."""
    named = [e for e in entrants if e.role == "baseline" and not is_random(e.label) and e.complete]
    best = max(named, key=lambda entrant: entrant.valid_score(context), default=None)
    gains = gains_by_seed(context, entrants)
    stages = {} if best is None else {"hand_made": gains[best.label]}
    stages["route"] = gains[winner.label]
    if winner.label in together.averages:
        stages["seeds"] = gains_of(context, entrants, together.averages[winner.label].metrics["test"])
    stages["networks"] = gains_of(context, entrants, together.networks.metrics["test"])
    stages["answer"] = gains_of(context, entrants, together.mixed.metrics["test"])
    if together.unsearched is not None:
        stages["unsearched"] = gains_of(context, entrants, together.unsearched.metrics["test"])
    return {
        "digest": together.mixed.digest,
        "candidates": together.mixed.candidates,
        "members": members_facts(entrants, together.mixed),
        "hand_made": None if best is None else best.label,
        "rivals": _rivals(context, entrants, together),
        **brought(stages, [task.name for task in context.tasks]),
    }


def _rivals(context: Context, entrants: Sequence[Entrant], together: Ensemble) -> list[dict[str, Any]]:
    """Others with members of their own: every entrant's seeds averaged, and the best ensemble without the search."""
    mixed = {label: found for label, found in together.averages.items() if len(found.members) > 1}
    if together.unsearched is not None:
        mixed = {"unsearched": together.unsearched, **mixed}
    return [
        {
            "label": label,
            "members": len(found.members),
            "candidates": found.candidates,
            "valid_score": found.score if math.isfinite(found.score) else None,
            "mean_gain": _mean([of["mean_gain"] for of in gains_of(context, entrants, found.metrics["test"]).values()]),
            "per_task": {t.name: found.metrics["test"][t.name][t.judged_by] for t in context.tasks},
        }
        for label, found in mixed.items()
    ]


def members_facts(entrants: Sequence[Entrant], mixed: Mixed) -> list[dict[str, Any]]:
    """Every member with its shares by task; a task that does not hear it has none."""
    of_number = {str(t.number): (e, t) for e in entrants for t in e.trials}
    facts: list[dict[str, Any]] = []
    for name in mixed.members:
        shares = {task: of_task[name] for task, of_task in mixed.weights.items() if name in of_task}
        if name in KINDS:
            facts.append({"label": name, "trial": None, "route_digest": None, "weights": shares})
        else:
            entrant, trial = of_number[name]
            facts.append(
                {
                    "label": entrant.label,
                    "trial": trial.number,
                    "route_digest": entrant.digest,
                    "weights": shares,
                }
            )
    return facts


def heaviest_of(mixed: Mixed, entrants: Sequence[Entrant], *, otherwise: Entrant) -> Entrant:
    """The entrant with the largest share over all tasks and seeds."""
    totals: dict[str, float] = {}
    for entrant, trial in members_of(mixed, entrants):
        share = sum(of_task.get(str(trial.number), 0.0) for of_task in mixed.weights.values())
        totals[entrant.label] = totals.get(entrant.label, 0.0) + share
    if not totals:
        return otherwise
    label = max(totals, key=lambda name: totals[name])
    return next(entrant for entrant in entrants if entrant.label == label)


def models_of(context: Context, mixed: Mixed) -> list[tuple[tuple[str, Kind], TaskModel]]:
    """The members that are no networks, each with its task and its kind."""
    wanted = [(task, kind) for task, of_task in mixed.weights.items() for kind in KINDS if kind in of_task]
    found = [(place, kept_model(context, place[1], place[0])) for place in wanted]
    return [(place, model) for place, model in found if model is not None]


def _mean(gains: list[float]) -> dict[str, float | None]:
    return summary([fmean(gains)] if gains else [])
