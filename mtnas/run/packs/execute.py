"""Doing a pack's work, whatever it is: ``execute`` takes a task and gives back events."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict

import torch

from mtnas.data import EncodedData
from mtnas.ensembles.task_model import TaskModel
from mtnas.errors import MtnasError, OutOfMemoryError
from mtnas.run.packs.pack_checkpoint import to_bytes
from mtnas.run.packs.pack_events import PackEvent, PackFailed, PackStarted, TaskModelResult
from mtnas.run.packs.pack_search import search_pack
from mtnas.run.packs.pack_task import PackTask, SupernetWork, TrainWork
from mtnas.run.packs.pack_training import train_pack
from mtnas.run.task_models.linear_models import LinearWork, fit_linear
from mtnas.run.task_models.trees import TreesWork, boost
from mtnas.trials import Place


def here(device: str, *, actor: str | None = None, node: str | None = None) -> Place:
    """This process as a place."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return Place(node=node or platform.node() or "localhost", process=os.getpid(), device=name, actor=actor)


def execute(
    task: PackTask, data: EncodedData, *, actor: str | None = None, node: str | None = None
) -> Iterator[PackEvent]:
    """Do one pack's work, step by step; the last event is its result or its failure.

    Args:
        actor: which actor this is, for the pack's place.
        node: its node, where the machine's name does not say enough.
    """
    place = here(task.device, actor=actor, node=node)
    yield PackStarted(key=task.key, place=place)
    try:
        match task.work:
            case TrainWork():
                yield from train_pack(task, task.work, data, place)
            case SupernetWork():
                yield from search_pack(task, task.work, data, place)
            case TreesWork() | LinearWork():
                yield _fitted(task, task.work, data, place)
    except MtnasError as error:
        yield PackFailed(key=task.key, place=place, error=error)
    except (torch.OutOfMemoryError, MemoryError) as error:
        found = OutOfMemoryError(
            expected="a pack that fits into the device", found=str(error), where=f"pack {task.key!r}"
        )
        yield PackFailed(key=task.key, place=place, error=found)


def _fitted(task: PackTask, work: TreesWork | LinearWork, data: EncodedData, place: Place) -> TaskModelResult:
    started = time.monotonic()
    if task.streamed:
        raise OutOfMemoryError(
            expected="rows that fit into memory, since trees and linear models look at all of them at once",
            found="rows that are streamed",
            where=task.key,
        )
    settings: dict[str, float]
    model: TaskModel
    if isinstance(work, TreesWork):
        grown = boost(work, data, seed=0)
        settings, model = asdict(grown.settings) | {"iterations": grown.iterations}, grown.forest
        metrics, outputs = grown.metrics, grown.outputs
    else:
        found = fit_linear(work, data, seed=0)
        settings, model = {"penalty": found.penalty}, found.model
        metrics, outputs = found.metrics, found.outputs
    return TaskModelResult(
        key=task.key,
        place=place,
        task=work.task.name,
        settings=settings,
        metrics=metrics,
        outputs=to_bytes(outputs),
        model=model.to_bytes(),
        seconds=time.monotonic() - started,
    )
