"""The boosted-trees row of the report: one forest per task, beside every network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mtnas.run.context import Context
from mtnas.run.judging.figures import valid_score
from mtnas.run.judging.statistics import summary
from mtnas.run.judging.tree_settings import tree_settings
from mtnas.run.judging.trees import TreesWork
from mtnas.run.packs.pack_events import PackFailed, TreesResult
from mtnas.run.packs.pack_task import PackTask
from mtnas.trials import Evaluation

LABEL = "boosted_trees"
LEAST_SETTINGS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class GrownTrees:
    """The trees of all tasks.

    Attributes:
        metrics: by part, as in ``Evaluation.per_task``.
        settings: by task, what its trees were grown with.
        score: on ``valid``, as entrants are chosen by.
        seconds: what growing took, tuning included.
    """

    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    settings: Mapping[str, Mapping[str, float]]
    score: float
    seconds: float


def grown_trees(context: Context) -> GrownTrees | None:
    """The job's boosted trees, grown once per job; None where the protocol asks for none, or they failed.

    Their outputs and the trees themselves are kept as ``outputs/trees/<task>`` and ``forest/<task>``.
    """
    asked = context.spec.protocol.boosted_trees
    if not (context.spec.protocol.level != "quick" if asked is None else asked):
        return None
    found = _found(context)
    if any(item["metrics"] is None for item in found.values()):
        return None
    metrics = {
        part: {task.name: found[task.name]["metrics"][part] for task in context.tasks} for part in ("valid", "test")
    }
    scales = {task.name: label.scale for task, label in zip(context.tasks, context.data.schema.labels, strict=True)}
    return GrownTrees(
        metrics=metrics,
        settings={name: item["settings"] for name, item in found.items()},
        score=valid_score(context.tasks, [Evaluation(part="valid", per_task=metrics["valid"])], scales),
        seconds=sum(item["seconds"] for item in found.values()),
    )


def boosted_row(context: Context, trees: GrownTrees, gains: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """A row like those of the networks.

    Args:
        context: the job.
        trees: its trees.
        gains: by seed of single-task training, over which they are: trees have no seeds of their own.
    """
    return {
        "label": LABEL,
        "role": "baseline",
        "route_digest": None,
        "num_params": None,
        "macs": None,
        "latency_us": None,
        "seeds": 1,
        "failed": 0,
        "lr": {name: settings["lr"] for name, settings in trees.settings.items()},
        "settings": trees.settings,
        "valid_score": trees.score,
        "per_task": {
            task.name: {
                "metric": task.judged_by,
                "test": summary([trees.metrics["test"][task.name][task.judged_by]]),
                "valid": summary([trees.metrics["valid"][task.name][task.judged_by]]),
                "gain": _mean([of_seed[task.name] for of_seed in gains.values()]),
            }
            for task in context.tasks
        },
        "mean_gain": _mean([of_seed["mean_gain"] for of_seed in gains.values()]),
        "worst_gain": _mean([of_seed["worst_gain"] for of_seed in gains.values()]),
        "device_seconds": trees.seconds,
        "multiple_of_shared_bottom": None,
    }


def _mean(gains: list[float]) -> dict[str, float | None]:
    """Over the seeds of the networks, of whose spread it has none."""
    return summary([fmean(gains)] if gains else [])


def _found(context: Context) -> dict[str, Any]:
    """Per task: settings, metrics by part (None if boosting failed) and seconds; done once per job."""
    done = context.journal.checkpoint(LABEL)
    if done is not None:
        known: dict[str, Any] = json.loads(done)
        return known
    settings = tree_settings(max(LEAST_SETTINGS, len(context.spec.training.lr_grid)))
    packs = [
        PackTask(
            key=f"{LABEL}/{task.name}",
            work=TreesWork(task=task, settings=settings),
            tasks=context.tasks,
            recipe=context.recipe,
        )
        for task in context.tasks
    ]
    names = {pack.key: task.name for pack, task in zip(packs, context.tasks, strict=True)}
    found: dict[str, Any] = {}
    for end in context.runs.execute(packs):
        if isinstance(end, TreesResult):
            context.journal.save_checkpoint(f"outputs/trees/{end.task}", end.outputs)
            context.journal.save_checkpoint(f"forest/{end.task}", end.forest)
            found[end.task] = {"settings": end.settings, "metrics": end.metrics, "seconds": end.seconds}
        elif isinstance(end, PackFailed):
            context.journal.event("warning", {"where": LABEL, "text": str(end.error)})
            found[names[end.key]] = {"settings": None, "metrics": None, "seconds": 0.0}
    context.journal.save_checkpoint(LABEL, json.dumps(found).encode())
    return found
