"""Packs of a small search on planted data, as a job would make them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import search_spaces
from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.data_spec import CatalogueSource, DataSpec
from mtnas.routes import canonical_route, shape_graph
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.tasks import Task, TaskKind
from mtnas.training.recipe import Recipe
from mtnas.trials import Candidate, Settings

TASKS = tuple(Task(name=f"t{n}", kind=TaskKind.REGRESSION, label=f"task_{n}", tower=(8,)) for n in range(2))


def planted(folder: Path, *, rows: int = 2000) -> EncodedData:
    """Rows of two planted tasks."""
    source = CatalogueSource(name="planted", options={"rows": rows, "num_tasks": 2, "dims": 8})
    return load(DataSpec(source=source), TASKS, access=DataAccess(cache=folder))


def pack(key: str, *, seed: int = 0, epochs: int = 2, parts: tuple[str, ...] = ("train",)) -> PackTask:
    """One candidate, drawn by ``seed``, with a checkpoint at every look."""
    space = search_spaces.build("mtnas", TASKS, {"layers": 1, "subnets": 2, "width": 8})
    route = canonical_route(space.graph, space.sample(np.random.default_rng(seed)))
    work = TrainWork(
        graph=shape_graph(space.graph, route),
        candidates=(Candidate(route=route, settings=Settings(lr=1e-2, seed=seed)),),
        parts=parts,
        evaluate_on=("valid",),
    )
    recipe = Recipe(batch_size=64, epochs=epochs, evaluate_every=5)
    return PackTask(key=key, work=work, tasks=TASKS, recipe=recipe, checkpoint_every_s=0.0)
