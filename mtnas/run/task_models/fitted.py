"""The models of one task each, fitted once per job, and their rows of the report beside every network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mtnas.ensembles.task_model import KINDS, Kind, TaskModel
from mtnas.run.context import Context
from mtnas.run.judging.figures import valid_score
from mtnas.run.judging.statistics import summary
from mtnas.run.packs.pack_events import PackFailed, TaskModelResult
from mtnas.run.packs.pack_task import PackTask
from mtnas.run.task_models.linear_models import LinearWork
from mtnas.run.task_models.tree_settings import tree_settings
from mtnas.run.task_models.trees import TreesWork
from mtnas.tasks import Task
from mtnas.trials import Evaluation

LEAST_SETTINGS = 6
QUICK_ROWS, QUICK_SETTINGS = 300_000, 2  # rows times settings at the quick level; settings at least


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskModels:
    """The models of one kind, for all tasks.

    Attributes:
        kind: what they are; also the label of their row.
        metrics: by part, as in ``Evaluation.per_task``.
        settings: by task, what its model was fitted with.
        score: on ``valid``, as entrants are chosen by.
        seconds: what fitting took, tuning included.
    """

    kind: Kind
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    settings: Mapping[str, Mapping[str, float]]
    score: float
    seconds: float


def task_models(context: Context) -> list[TaskModels]:
    """The kinds that the protocol asks for, fitted once per job; without those that failed for a task.

    Outputs and models are kept as ``outputs/<kind>/<task>`` and ``model/<kind>/<task>``.
    """
    protocol = context.spec.protocol
    asked: dict[Kind, bool | None] = {"boosted_trees": protocol.boosted_trees, "linear": protocol.linear_models}
    default = not context.data.images.shape[1]
    found = [_fitted(context, kind) for kind in KINDS if (default if asked[kind] is None else asked[kind])]
    return [models for models in found if models is not None]


def outputs_name(kind: Kind, task: str) -> str:
    """The artifact with a model's outputs on ``valid`` and ``test``."""
    return f"outputs/{kind}/{task}"


def kept_model(context: Context, kind: Kind, task: str) -> TaskModel | None:
    """The model of a task; None where none was fitted."""
    kept = context.journal.checkpoint(_model_name(kind, task))
    return None if kept is None else KINDS[kind].from_bytes(kept)


def task_models_row(context: Context, models: TaskModels, gains: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """A row like those of the networks.

    Args:
        context: the job.
        models: one kind.
        gains: by seed of single-task training, over which they are: these models have no seeds of their own.
    """
    return {
        "label": models.kind,
        "role": "baseline",
        "route_digest": None,
        "num_params": None,
        "macs": None,
        "latency_us": None,
        "seeds": 1,
        "failed": 0,
        "lr": {name: settings["lr"] for name, settings in models.settings.items() if "lr" in settings} or None,
        "settings": models.settings,
        "valid_score": models.score,
        "per_task": {
            task.name: {
                "metric": task.judged_by,
                "test": summary([models.metrics["test"][task.name][task.judged_by]]),
                "valid": summary([models.metrics["valid"][task.name][task.judged_by]]),
                "gain": _mean([of_seed[task.name] for of_seed in gains.values()]),
            }
            for task in context.tasks
        },
        "mean_gain": _mean([of_seed["mean_gain"] for of_seed in gains.values()]),
        "worst_gain": _mean([of_seed["worst_gain"] for of_seed in gains.values()]),
        "device_seconds": models.seconds,
        "multiple_of_shared_bottom": None,
    }


def _mean(gains: list[float]) -> dict[str, float | None]:
    """Over the seeds of the networks, of whose spread it has none."""
    return summary([fmean(gains)] if gains else [])


def _model_name(kind: Kind, task: str) -> str:
    return f"model/{kind}/{task}"


def _fitted(context: Context, kind: Kind) -> TaskModels | None:
    found = _found(context, kind)
    if any(item["metrics"] is None for item in found.values()):
        return None
    metrics = {
        part: {task.name: found[task.name]["metrics"][part] for task in context.tasks} for part in ("valid", "test")
    }
    scales = {task.name: label.scale for task, label in zip(context.tasks, context.data.schema.labels, strict=True)}
    return TaskModels(
        kind=kind,
        metrics=metrics,
        settings={name: item["settings"] for name, item in found.items()},
        score=valid_score(context.tasks, [Evaluation(part="valid", per_task=metrics["valid"])], scales),
        seconds=sum(item["seconds"] for item in found.values()),
    )


def _found(context: Context, kind: Kind) -> dict[str, Any]:
    """Per task: settings, metrics by part (None if fitting failed) and seconds; done once per job."""
    done = context.journal.checkpoint(f"task_models/{kind}")
    if done is not None:
        known: dict[str, Any] = json.loads(done)
        return known
    work = _work(context, kind)
    packs = [
        PackTask(key=f"{kind}/{task.name}", work=own, tasks=context.tasks, recipe=context.recipe)
        for task, own in zip(context.tasks, work, strict=True)
    ]
    names = {pack.key: task.name for pack, task in zip(packs, context.tasks, strict=True)}
    found, told = dict[str, Any](), set[str]()
    for end in context.runs.execute(packs):
        if isinstance(end, TaskModelResult):
            context.journal.save_checkpoint(outputs_name(kind, end.task), end.outputs)
            context.journal.save_checkpoint(_model_name(kind, end.task), end.model)
            found[end.task] = {"settings": end.settings, "metrics": end.metrics, "seconds": end.seconds}
        elif isinstance(end, PackFailed):
            if str(end.error) not in told:
                context.journal.event("warning", {"where": kind, "text": str(end.error)})
            told.add(str(end.error))
            found[names[end.key]] = {"settings": None, "metrics": None, "seconds": 0.0}
    context.journal.save_checkpoint(f"task_models/{kind}", json.dumps(found).encode())
    return found


def _work(context: Context, kind: Kind) -> Sequence[TreesWork | LinearWork]:
    tasks: Sequence[Task] = context.tasks
    if kind == "linear":
        return [LinearWork(task=task) for task in tasks]
    count = max(LEAST_SETTINGS, len(context.spec.training.lr_grid))
    if context.spec.protocol.level == "quick":  # trees on many rows take as long as everything else
        count = min(count, max(QUICK_SETTINGS, QUICK_ROWS // len(context.data.parts["train"])))
    settings = tree_settings(count)
    return [TreesWork(task=task, settings=settings) for task in tasks]
