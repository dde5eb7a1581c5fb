"""A process that trains on mapped rows and prints by how many MiB it grew; started by ``test_streamed``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from mtnas.routes import InputShape, Tower
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.feeding.streamed import StreamedData
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings
from tests.training.problem import Arrays

TASKS = (Task(name="a", kind=TaskKind.BINARY, label="a", tower=(4,)),)


def peak_mib() -> float:
    """Most memory that this process has held, pages of mapped files included.

    Not ``ru_maxrss``, which on Linux also knows what the process held that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def arrays(folder: Path) -> Arrays:
    """Rows mapped from disk: the first are labelled at random, all inputs are zero."""
    numeric = np.asarray(np.load(folder / "numeric.npy", mmap_mode="c"))
    num_rows = len(numeric)
    labels = np.random.default_rng(0).integers(0, 2, (num_rows, 1)).astype(np.float32)
    cut = 3 * num_rows // 4
    parts = {"train": np.arange(cut), "valid": np.arange(cut, num_rows)}
    return Arrays(categorical=np.zeros((num_rows, 0), np.int32), numeric=numeric, bags=(), labels=labels, parts=parts)


def train(folder: Path, kind: str, steps: int) -> None:
    """Train for some steps and evaluate."""
    found = arrays(folder)
    held = StreamedData if kind == "streamed" else ResidentData
    towers = [Tower(task=task.name, reads="", hidden=task.tower, outputs=1) for task in TASKS]
    named = NAMED_ROUTES["shared_bottom"](towers, Size(layers=1, experts=1, width=8))
    pack = PackTrainer(
        graph=named.graph,
        inputs=InputShape(num_numeric=found.numeric.shape[1]),
        routes=[named.route] * 2,
        settings=[Settings(seed=seed) for seed in range(2)],
        tasks=TASKS,
        data=held.of(found, torch.device("cpu")),
        recipe=Recipe(batch_size=2048, epochs=1, evaluate_every=steps),
        parts=("train",),
    )
    next(pack.run())


if __name__ == "__main__":
    small, large, held_as, num_steps = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    train(small, held_as, 2)  # libraries, allocators and threads have grown to their size
    before = peak_mib()
    train(large, held_as, num_steps)
    print(peak_mib() - before)
