"""A small planted problem and packs on it, for tests of what trains tasks together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtnas.routes import InputShape, Tower
from mtnas.routes.schemes.by_name import NamedRoute, Size, mmoe
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings

TASKS = (
    Task(name="bought", kind=TaskKind.BINARY, label="bought"),
    Task(name="spent", kind=TaskKind.REGRESSION, label="spent"),
    Task(name="kind", kind=TaskKind.MULTICLASS, label="kind", num_classes=3),
)
INPUTS = InputShape(vocabularies=(5,), embedding_widths=(3,), num_numeric=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """What ``ResidentData`` reads."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    bags: tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]], ...]
    labels: npt.NDArray[np.float32]
    parts: dict[str, npt.NDArray[np.int64]]


def rows(num_rows: int = 320, *, seed: int = 0) -> ResidentData:
    """Labels that depend on the inputs; some are missing."""
    rng = np.random.default_rng(seed)
    numeric = rng.standard_normal((num_rows, 4)).astype(np.float32)
    categorical = rng.integers(0, 5, (num_rows, 1)).astype(np.int32)
    signal = numeric[:, 0] + 0.5 * (categorical[:, 0] == 2)
    labels = np.stack([signal > 0, signal + numeric[:, 1], np.digitize(numeric[:, 2], [-0.4, 0.4])], 1)
    labels = labels.astype(np.float32)
    labels[rng.random(labels.shape) < 0.05] = np.nan
    cuts = np.split(np.arange(num_rows), [num_rows // 2, 5 * num_rows // 8, 3 * num_rows // 4])
    arrays = Arrays(
        categorical=categorical,
        numeric=numeric,
        bags=(),
        labels=labels,
        parts=dict(zip(("train", "search", "valid", "test"), cuts, strict=True)),
    )
    return ResidentData.of(arrays, torch.device("cpu"), dtype=torch.float64)


def network(tasks: Sequence[Task] = TASKS) -> NamedRoute:
    """A small mixture of experts."""
    towers = [Tower(task=t.name, reads="", hidden=(4,), outputs=t.num_outputs) for t in tasks]
    return mmoe(towers, Size(layers=1, experts=3, width=6))


def pack(settings: Sequence[Settings], recipe: Recipe, *, tasks: Sequence[Task] = TASKS) -> PackTrainer:
    """An untrained pack in float64."""
    named = network(tasks)
    return PackTrainer(
        graph=named.graph,
        inputs=INPUTS,
        routes=[named.route] * len(settings),
        settings=settings,
        tasks=tasks,
        data=rows(),
        recipe=recipe,
        parts=("train",),
    )


def final_weights(trainer: PackTrainer) -> dict[str, Tensor]:
    """The net's weights after the whole run, by name."""
    for _ in trainer.run():
        pass
    return {name: tensor.detach().clone() for name, tensor in trainer.net.named_parameters()}
