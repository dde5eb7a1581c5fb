"""Training of packs for benchmarks: the same few lines as in a job's retrain phase, without the job."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mtnas.data import DataAccess, EncodedData
from mtnas.routes import Route, RouteGraph, Tower
from mtnas.tasks import Task
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.measuring.evaluate import of_candidate
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings

Metrics = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One candidate's metrics on ``valid`` and ``test``, by task, then by metric."""

    valid: Metrics
    test: Metrics


def access() -> DataAccess:
    """Data of the folder ``MTNAS_DATA_DIR``, encoded into a temporary cache."""
    cache = os.environ.get("MTNAS_CACHE_DIR") or str(Path(tempfile.gettempdir()) / "mtnas-benchmarks")
    return DataAccess(cache=Path(cache))


def towers(tasks: Sequence[Task]) -> list[Tower]:
    """The tasks' towers, for named routes."""
    return [Tower(task=t.name, reads="", hidden=t.tower, outputs=t.num_outputs) for t in tasks]


def train_pack(
    data: EncodedData,
    tasks: Sequence[Task],
    graph: RouteGraph,
    routes: Sequence[Route],
    settings: Sequence[Settings],
    recipe: Recipe,
    *,
    parts: Sequence[str] = ("train", "search"),
) -> list[Trained]:
    """Train candidates together; each one's best weights on ``valid`` are measured on ``test``."""
    trainer = PackTrainer(
        graph=graph,
        inputs=data.inputs,
        routes=routes,
        settings=settings,
        tasks=tasks,
        data=ResidentData.of(data, torch.device("cpu")),
        recipe=recipe,
        parts=parts,
    )
    for _ in trainer.run():
        pass
    valid, test = trainer.evaluate("valid"), trainer.evaluate("test")
    return [Trained(valid=of_candidate(valid, k), test=of_candidate(test, k)) for k in range(len(routes))]
