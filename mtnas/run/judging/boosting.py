"""The boosted-trees row of the report: one model per task, beside every network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mtnas.run.context import Context
from mtnas.run.judging.statistics import summary
from mtnas.run.judging.trees import TreesWork
from mtnas.run.packs.pack_events import PackFailed, TreesResult
from mtnas.run.packs.pack_task import PackTask
from mtnas.run.phases.retrain import Entrant
from mtnas.training.measuring.gains import mean_gain, task_gains, worst_gain
from mtnas.trials import TrialState

LABEL = "boosted_trees"


def boosted_row(context: Context, reference: Entrant | None) -> dict[str, Any] | None:
    """A row like those of the networks, or None where the protocol asks for no trees.

    Gains are against the mean single-task network, since trees have no seeds to pair.
    """
    asked = context.spec.protocol.boosted_trees
    if not (context.spec.protocol.level != "quick" if asked is None else asked):
        return None
    found = _found(context)
    per_task = {name: item["metrics"] for name, item in found.items()}
    if any(metrics is None for metrics in per_task.values()):
        return None
    on_test = {name: metrics["test"] for name, metrics in per_task.items()}
    single = _mean_metrics(context, reference)
    gains = task_gains(context.tasks, on_test, single) if single is not None else {}
    return {
        "label": LABEL,
        "role": "baseline",
        "route_digest": None,
        "num_params": None,
        "macs": None,
        "latency_us": None,
        "seeds": 1,
        "failed": 0,
        "lr": {name: item["lr"] for name, item in found.items()},
        "settings": None,
        "valid_score": None,
        "per_task": {
            task.name: {
                "metric": task.judged_by,
                "test": summary([on_test[task.name][task.judged_by]]),
                "valid": summary([per_task[task.name]["valid"][task.judged_by]]),
                "gain": summary([gains[task.name]] if gains else []),
            }
            for task in context.tasks
        },
        "mean_gain": summary([mean_gain(gains)] if gains else []),
        "worst_gain": summary([worst_gain(gains)] if gains else []),
        "device_seconds": sum(item["seconds"] for item in found.values()),
        "multiple_of_shared_bottom": None,
    }


def _found(context: Context) -> dict[str, Any]:
    """Per task: learning rate, metrics by part (None if boosting failed) and seconds; done once per job."""
    done = context.journal.checkpoint(LABEL)
    if done is not None:
        known: dict[str, Any] = json.loads(done)
        return known
    packs = [
        PackTask(key=f"{LABEL}/{task.name}", work=TreesWork(task=task), tasks=context.tasks, recipe=context.recipe)
        for task in context.tasks
    ]
    names = {pack.key: task.name for pack, task in zip(packs, context.tasks, strict=True)}
    found: dict[str, Any] = {}
    for end in context.runs.execute(packs):
        if isinstance(end, TreesResult):
            found[end.task] = {"lr": end.lr, "metrics": end.metrics, "seconds": end.seconds}
        elif isinstance(end, PackFailed):
            context.journal.event("warning", {"where": LABEL, "text": str(end.error)})
            found[names[end.key]] = {"lr": None, "metrics": None, "seconds": 0.0}
    context.journal.save_checkpoint(LABEL, json.dumps(found).encode())
    return found


def _mean_metrics(context: Context, reference: Entrant | None) -> dict[str, dict[str, float]] | None:
    trials = [t for t in reference.trials if t.state is TrialState.COMPLETE] if reference is not None else []
    if not trials:
        return None
    found: Sequence[Any] = [trial.on("test").per_task for trial in trials]
    return {
        task.name: {task.judged_by: sum(f[task.name][task.judged_by] for f in found) / len(found)}
        for task in context.tasks
    }
