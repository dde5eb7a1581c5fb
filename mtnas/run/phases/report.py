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
from mtnas.run.journal import RouteRow
from mtnas.run.judging.boosting import LABEL as TREES
from mtnas.run.judging.boosting import GrownTrees, boosted_row, grown_trees
from mtnas.run.judging.diagnose import diagnose
from mtnas.run.judging.front import front_facts
from mtnas.run.judging.search_facts import search_facts
from mtnas.run.judging.statistics import paired, summary
from mtnas.run.judging.training_facts import training_facts
from mtnas.run.judging.verdict import Standing, judge
from mtnas.run.phases.baselines import REFERENCE, Baselines
from mtnas.run.phases.retrain import Entrant
from mtnas.run.phases.search import Found, best_first, is_random
from mtnas.training.measuring.gains import mean_gain, task_gains, worst_gain
from mtnas.trials import LATENCY, Trial, TrialState


def report(context: Context, known: Baselines, found: Found, entrants: Sequence[Entrant]) -> dict[str, Any]:
    """Write the report and the routes of the answer; returns the report."""
    context.start_phase("report")
    reads = context.journal.count_test_read(context.data.digest)
    gains = _gains(context, entrants)
    shared = next((e for e in entrants if e.label == "shared_bottom"), None)
    rows = [_row(context, entrant, gains[entrant.label], shared) for entrant in entrants]
    trees = grown_trees(context)
    if trees is not None:
        gains[TREES] = _gains_of(context, entrants, trees.metrics["test"])
        rows.append(boosted_row(context, trees, gains[TREES]))
    winner = next(entrant for entrant in entrants if entrant.role == "finalist")
    result: dict[str, Any] = {
        "level": context.spec.protocol.level,
        **_judged(context, entrants, winner, gains, trees),
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
        "front": front_facts(context.spec, [row for row in rows if row["route_digest"] is not None]),
        "comparisons": _comparisons(context, entrants, winner, gains, trees),
        "search": search_facts(context, found, entrants),
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
    _write_routes(context, entrants, rows, winner)
    context.journal.put_report(result)
    return result


Gains = dict[int, dict[str, float]]


def _gains(context: Context, entrants: Sequence[Entrant]) -> dict[str, Gains]:
    """Per entrant and seed: every task's gain on ``test`` over single-task training with the same seed."""
    reference = {_seed(t): t for e in entrants if e.label == REFERENCE for t in e.trials if _complete(t)}
    gains: dict[str, Gains] = {}
    for entrant in entrants:
        of_seed: Gains = {}
        for trial in entrant.trials:
            single = reference.get(_seed(trial))
            if _complete(trial) and single is not None:
                of_task = task_gains(context.tasks, trial.on("test").per_task, single.on("test").per_task)
                of_seed[_seed(trial)] = of_task | {"mean_gain": mean_gain(of_task), "worst_gain": worst_gain(of_task)}
        gains[entrant.label] = of_seed
    return gains


def _gains_of(context: Context, entrants: Sequence[Entrant], on_test: Mapping[str, Mapping[str, float]]) -> Gains:
    """Gains of something without seeds, over single-task training with each seed."""
    singles = [t for e in entrants if e.label == REFERENCE for t in e.trials if _complete(t)]
    gains: Gains = {}
    for single in singles:
        of_task = task_gains(context.tasks, on_test, single.on("test").per_task)
        gains[_seed(single)] = of_task | {"mean_gain": mean_gain(of_task), "worst_gain": worst_gain(of_task)}
    return gains


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


def _comparisons(
    context: Context,
    entrants: Sequence[Entrant],
    winner: Entrant,
    gains: dict[str, Gains],
    trees: GrownTrees | None,
) -> list[dict[str, Any]]:
    """The winner against the best baseline (chosen on ``valid``) and against equal-budget random search, by seed."""
    named = [entrant for entrant in entrants if entrant.role == "baseline" and not is_random(entrant.label)]
    scores = {entrant.label: entrant.valid_score(context) for entrant in named}
    if trees is not None:
        scores[TREES] = trees.score
    rivals = [max(scores, key=lambda label: scores[label])] if scores else []
    drawn = best_random(context, entrants)
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
    entrants: Sequence[Entrant],
    winner: Entrant,
    gains: dict[str, Gains],
    trees: GrownTrees | None,
) -> dict[str, Any]:
    """The verdict and the recommendation."""
    standings = {
        entrant.label: _standing(
            context,
            entrant.label,
            gains[entrant.label],
            score=entrant.valid_score(context),
            macs=context.cost(entrant.graph, entrant.route).macs,
        )
        for entrant in entrants
    }
    named = [standings[e.label] for e in entrants if e.role == "baseline" and not is_random(e.label)]
    drawn = best_random(context, entrants)
    return judge(
        context.spec.protocol.level,
        standings[winner.label],
        named,
        None if drawn is None else standings[drawn.label],
        trees=None if trees is None else _standing(context, TREES, gains[TREES], score=trees.score),
    )


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


def _write_routes(
    context: Context, entrants: Sequence[Entrant], rows: Sequence[dict[str, Any]], winner: Entrant
) -> None:
    journal, digest = context.journal, context.data.digest
    journal.add_graphs({entrant.graph.digest: entrant.graph.to_json() for entrant in entrants})
    searched: dict[str, dict[str, float]] = {}
    # A route that was tried several times is told of by its best trial, as its row was when the trial ended.
    for trial in reversed(best_first(context, [trial for trial in journal.trials() if trial.phase == "search"])):
        searched[trial.route_digest] = {f"search.{name}": value for name, value in trial.values.items()}
    answer = {}
    rank = 0
    for entrant, row in zip(entrants, rows, strict=False):  # boosted trees have a row and no route
        rank += entrant.role == "finalist"
        values = {f"test.{task}.{cells['metric']}": cells["test"]["mean"] for task, cells in row["per_task"].items()}
        values |= {"mean_gain": row["mean_gain"]["mean"], "worst_gain": row["worst_gain"]["mean"]}
        values |= {"valid_score": row["valid_score"]}
        values |= {} if row["latency_us"] is None else {LATENCY: row["latency_us"]}
        if entrant.digest in searched:
            values |= searched[entrant.digest]
        answer[entrant.digest] = RouteRow(
            digest=entrant.digest,
            graph_digest=entrant.graph.digest,
            text=entrant.route.text,
            num_params=row["num_params"],
            macs=row["macs"],
            role="best" if entrant is winner else entrant.role,
            label=entrant.label,
            phase="retrain",
            values=values,
            rank=rank if entrant.role == "finalist" else None,
            details={
                "lr": entrant.tuned.lr,
                "settings": row["settings"],
                "seeds": row["seeds"],
                "weights_of_trial": best_trial(context, entrant),
            },
        )
    journal.add_routes(list(answer.values()), data_digest=digest)


def best_trial(context: Context, entrant: Entrant) -> int | None:
    """Number of the seed that is best on ``valid``: the one whose weights are exported."""
    complete = [trial for trial in entrant.trials if _complete(trial)]
    return max(complete, key=context.valid_score).number if complete else None


def _curve(scores: Mapping[float, float]) -> dict[str, float | None]:
    """Scores by value as JSON; what could not be trained has none."""
    return {str(value): score if math.isfinite(score) else None for value, score in scores.items()}


def _complete(trial: Trial) -> bool:
    return trial.state is TrialState.COMPLETE


def _seed(trial: Trial) -> int:
    return trial.candidate.settings.seed


def _mean_cost(trials: Sequence[Trial]) -> float | None:
    return fmean(trial.evaluations[0].costs["device_seconds"] for trial in trials) if trials else None
