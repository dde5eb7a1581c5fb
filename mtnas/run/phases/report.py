"""Phase ``report``: the table of entrants on ``test``, gains, paired differences, and where everything ran."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch

import mtnas
from mtnas.run.context import Context
from mtnas.run.judging.diagnose import diagnose
from mtnas.run.judging.front import front_facts
from mtnas.run.judging.gains_by_seed import Gains, gains_by_seed, gains_of
from mtnas.run.judging.search_facts import search_facts
from mtnas.run.judging.statistics import paired, summary
from mtnas.run.judging.training_facts import training_facts
from mtnas.run.judging.verdict import Standing, judge
from mtnas.run.phases.ensemble import Ensemble
from mtnas.run.phases.ensemble_row import ENSEMBLE, ensemble_facts, ensemble_row
from mtnas.run.phases.independent import SEARCHES
from mtnas.run.phases.retrain import Entrant, Retrained
from mtnas.run.phases.route_rows import best_trial, write_routes
from mtnas.run.phases.search import Found, is_random
from mtnas.run.task_models.fitted import TaskModels, task_models, task_models_row
from mtnas.trials import LATENCY, Trial, TrialState


def report(context: Context, found: Found, trained: Retrained, together: Ensemble | None = None) -> dict[str, Any]:
    """Write the report and the routes of the answer; returns the report."""
    entrants = trained.entrants
    context.start_phase("report")
    reads = context.journal.count_test_read(context.data.digest)
    repeated = [entrant for entrant in (trained.searches, trained.random_searches) if entrant is not None]
    gains = gains_by_seed(context, [*entrants, *repeated])
    shared = next((e for e in entrants if e.label == "shared_bottom"), None)
    rows = [_row(context, entrant, gains[entrant.label], shared) for entrant in entrants]
    rows += [_searches_row(context, entrant, gains[entrant.label], shared) for entrant in repeated]
    models = task_models(context)
    for of_kind in models:
        gains[of_kind.kind] = gains_of(context, entrants, of_kind.metrics["test"])
        rows.append(task_models_row(context, of_kind, gains[of_kind.kind]))
    if together is not None:
        gains[ENSEMBLE] = gains_of(context, entrants, together.mixed.metrics["test"])
        rows.append(ensemble_row(context, entrants, together.mixed, gains[ENSEMBLE]))
    winner = next(entrant for entrant in entrants if entrant.role == "finalist")
    result: dict[str, Any] = {
        "level": context.spec.protocol.level,
        **_judged(context, trained, winner, gains, models),
        "data_digest": context.data.digest,
        "test_reads": reads,
        "columns": [column.to_json() for column in context.data.columns],
        "warnings": [str(warning) for warning in context.data.warnings],
        "tasks": [
            {"name": task.name, "kind": task.kind, "metric": task.judged_by, "classes": list(label.classes)}
            for task, label in zip(context.tasks, context.data.schema.labels, strict=True)
        ],
        "best": {"label": winner.label, "route_digest": winner.digest, "text": winner.route.text},
        "rows": rows,
        "ensemble": None if together is None else ensemble_facts(context, entrants, winner, together),
        "front": front_facts(context.spec, rows[: len(entrants)]),
        "comparisons": _comparisons(context, trained, winner, gains, models),
        "search": search_facts(context, found, trained),
        "tuning": {
            entrant.label: {
                "lr": entrant.tuned.lr,
                "weight_decay": entrant.tuned.weight_decay,
                "on_edge": entrant.tuned.on_edge,
                "curve": _curve(entrant.tuned.curve),
                "decay_curve": _curve(entrant.tuned.decays),
            }
            for entrant in entrants
        },
        "training": training_facts(context.recipe, {entrant.label: entrant.complete for entrant in entrants}),
        "latency": _latency(context),
        "places": _places(context.journal.trials()),
        "provenance": {
            "spec": context.spec.model_dump(mode="json", exclude={"space": {"graph"}, "base": {"graph"}}),
            "seed": context.spec.seed,
            "versions": {"mtnas": mtnas.__version__, "torch": torch.__version__, "python": platform.python_version()},
            "device": context.device,
        },
    }
    trial = best_trial(context, winner)
    result["diagnostics"] = diagnose(context, winner, trial=trial, gains=gains[winner.label])
    write_routes(context, entrants, rows, winner, together)
    context.journal.put_report(result)
    return result


def _row(context: Context, entrant: Entrant, gains: Gains, shared: Entrant | None) -> dict[str, Any]:
    complete = [trial for trial in entrant.trials if _complete(trial)]
    found = context.cost(entrant.graph, entrant.route)
    device_seconds = _mean_cost(complete)
    shared_seconds = _mean_cost([t for t in shared.trials if _complete(t)]) if shared is not None else None
    return {
        "label": entrant.label,
        "role": entrant.role,
        "route_digest": entrant.digest,
        "num_params": found.num_params,
        "macs": found.macs,
        "latency_us": next((trial.values[LATENCY] for trial in complete if LATENCY in trial.values), None),
        "seeds": len(complete),
        "failed": len(entrant.trials) - len(complete),
        "lr": entrant.tuned.lr,
        "settings": entrant.settings.without_seeds(),
        "valid_score": None if not complete else entrant.valid_score(context),
        "per_task": {
            task.name: {
                "metric": task.judged_by,
                "test": summary([t.on("test").per_task[task.name][task.judged_by] for t in complete]),
                "valid": summary([t.on("valid").per_task[task.name][task.judged_by] for t in complete]),
                "gain": summary([of_seed[task.name] for of_seed in gains.values()]),
            }
            for task in context.tasks
        },
        "mean_gain": summary([of_seed["mean_gain"] for of_seed in gains.values()]),
        "worst_gain": summary([of_seed["worst_gain"] for of_seed in gains.values()]),
        "device_seconds": device_seconds,
        "multiple_of_shared_bottom": (
            device_seconds / shared_seconds if device_seconds is not None and shared_seconds else None
        ),
    }


def _searches_row(context: Context, entrant: Entrant, gains: Gains, shared: Entrant | None) -> dict[str, Any]:
    """A row like the others; its routes differ, and so do their settings: costs are means."""
    params = [context.cost(entrant.graph, trial.candidate.route).num_params for trial in entrant.complete]
    return _row(context, entrant, gains, shared) | {
        "route_digest": None,
        "num_params": round(fmean(params)) if params else None,
        "macs": _macs(context, entrant),
        "lr": None,
        "settings": None,
    }


def _comparisons(
    context: Context,
    trained: Retrained,
    winner: Entrant,
    gains: dict[str, Gains],
    models: Sequence[TaskModels],
) -> list[dict[str, Any]]:
    """The winner against the best baseline (chosen on ``valid``) and against equal-budget random search, by seed.

    Of independent searches it is their answers that are compared, by search.
    """
    winner = trained.searches or winner
    named = [entrant for entrant in trained.entrants if entrant.role == "baseline" and not is_random(entrant.label)]
    scores = {entrant.label: entrant.valid_score(context) for entrant in named}
    scores |= {of_kind.kind: of_kind.score for of_kind in models}
    rivals = [max(scores, key=lambda label: scores[label])] if scores else []
    drawn = trained.random_searches or best_random(context, trained.entrants)
    rivals += [] if drawn is None else [drawn.label]
    rows = []
    for rival in rivals:
        seeds = sorted(set(gains[winner.label]) & set(gains[rival]))
        rows.append(
            {
                "first": winner.label,
                "second": rival,
                "seeds": len(seeds),
                "differences": {
                    name: paired([gains[winner.label][s][name] for s in seeds], [gains[rival][s][name] for s in seeds])
                    for name in ("mean_gain", "worst_gain", *(task.name for task in context.tasks))
                },
            }
        )
    return rows


def best_random(context: Context, entrants: Sequence[Entrant]) -> Entrant | None:
    """Of the routes that random search brought, the best on ``valid``, as the winner is of those of the search."""
    drawn = [entrant for entrant in entrants if is_random(entrant.label)]
    return max(drawn, key=lambda entrant: entrant.valid_score(context), default=None)


def _judged(
    context: Context,
    trained: Retrained,
    winner: Entrant,
    gains: dict[str, Gains],
    models: Sequence[TaskModels],
) -> dict[str, Any]:
    """The verdict and the recommendation."""
    standings = {
        entrant.label: _standing(
            context,
            entrant.label,
            gains[entrant.label],
            score=entrant.valid_score(context),
            macs=_macs(context, entrant),
        )
        for entrant in (*trained.entrants, trained.searches, trained.random_searches)
        if entrant is not None
    }
    best, winner = winner.label, trained.searches or winner
    named = [standings[e.label] for e in trained.entrants if e.role == "baseline" and not is_random(e.label)]
    drawn = trained.random_searches or best_random(context, trained.entrants)
    found = judge(
        context.spec.protocol.level,
        standings[winner.label],
        named,
        None if drawn is None else standings[drawn.label],
        models=[_standing(context, m.kind, gains[m.kind], score=m.score) for m in models],
    )
    if found["recommendation"] and found["recommendation"]["take"] == SEARCHES:
        found["recommendation"]["take"] = best  # of what searches find, the route that is exported
    return found


def _macs(context: Context, entrant: Entrant) -> int | None:
    """The mean over its trials, of which independent searches have one route each."""
    found = [context.cost(entrant.graph, trial.candidate.route).macs for trial in entrant.complete]
    return round(fmean(found)) if found else None


def _standing(context: Context, label: str, gains: Gains, *, score: float, macs: int | None = None) -> Standing:
    return Standing(
        label=label,
        macs=macs,
        valid_score=score,
        gains={seed: of_seed["mean_gain"] for seed, of_seed in gains.items()},
        task_gains={task.name: [of_seed[task.name] for of_seed in gains.values()] for task in context.tasks},
    )


def _latency(context: Context) -> dict[str, Any] | None:
    """How ``latency_us`` was measured, where it was."""
    if not context.spec.asks_latency:
        return None
    rows, most = context.spec.protocol.latency_rows, context.spec.constraints.max_latency_us
    return {"unit": "us per batch", "rows": rows, "threads": 1, "max_latency_us": most, "reproducible": False}


def _places(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """How many trials of each phase ran where."""
    counts = Counter(
        (t.phase, t.place.node, t.place.process, t.place.device, t.place.actor) for t in trials if t.place is not None
    )
    names = ("phase", "node", "process", "device", "actor")
    return [
        dict(zip(names, place, strict=True)) | {"trials": count} for place, count in sorted(counts.items(), key=str)
    ]


def _curve(scores: Mapping[float, float]) -> dict[str, float | None]:
    """Scores by value as JSON; what could not be trained has none."""
    return {str(value): score if math.isfinite(score) else None for value, score in scores.items()}


def _complete(trial: Trial) -> bool:
    return trial.state is TrialState.COMPLETE


def _seed(trial: Trial) -> int:
    return trial.candidate.settings.seed


def _mean_cost(trials: Sequence[Trial]) -> float | None:
    return fmean(trial.evaluations[0].costs["device_seconds"] for trial in trials) if trials else None
