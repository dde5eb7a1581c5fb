"""What it saves to train a large table row by row: steps of one pack with its table stepped whole, and by rows.

One feature of V values beside eight numbers; every batch reads other rows, evenly drawn, which is the worst case for
training by rows. The two packs take their turns one after another on one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.sparse_tables
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmarks.census_shapes import TASKS, Rows, candidate_graph
from benchmarks.gradient_cost import seconds_of
from benchmarks.publishing import publish
from mtnas.routes import InputShape
from mtnas.routes.inputs import LARGE_TABLE
from mtnas.routes.schemes.by_name import full_route
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.pack_memory import MIB, pack_memory
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings

BATCH, CANDIDATES, WIDTH, NUMBERS, BATCHES = 1024, 4, 16, 8, 16
TURNS = {3_000: 31, 10_000: 31, 30_000: 31, 100_000: 21, 1_000_000: 5}
NEVER = 2**62
RECIPE = Recipe(batch_size=BATCH, epochs=1000)


def main() -> None:
    """Measure, and write ``results/sparse_tables.{json,md}``."""
    torch.set_num_threads(1)
    rows = [measured(size, turns) for size, turns in TURNS.items()]
    publish(
        "sparse_tables",
        title="Large tables stepped row by row",
        reading=(
            f"A step with the whole table over a step with the rows that the batch reads. Tables of {LARGE_TABLE:,} "
            f"elements and more ({LARGE_TABLE // WIDTH:,} rows of this width) are trained by rows."
        ),
        facts={
            "batch": BATCH,
            "candidates": CANDIDATES,
            "width": WIDTH,
            "ratios": "median over neighbouring turns",
            "turns": TURNS,
        },
        rows=rows,
    )


def measured(size: int, turns: int) -> dict[str, object]:
    """One size of the table."""
    inputs = InputShape(vocabularies=(size,), embedding_widths=(WIDTH,), num_numeric=NUMBERS)
    whole, by_rows = replace(inputs, large_table=NEVER), replace(inputs, large_table=1)
    data = table_rows(size)
    dense, sparse = (seconds_of(steps(shape, data)) for shape in (whole, by_rows))
    ratios = np.array([dense() / sparse() for _ in range(turns)])
    low, middle, high = (float(value) for value in np.quantile(ratios, (0.25, 0.5, 0.75)))
    memory = [
        pack_memory(candidate_graph(), shape, TASKS, RECIPE, evaluated_rows=BATCH).per_candidate
        for shape in (whole, by_rows)
    ]
    found: dict[str, object] = {
        "rows of the table": size,
        "elements": size * WIDTH,
        "step, whole over by rows": middle,
        "half of the turns": f"{low:.3g} to {high:.3g}",
        "memory, whole over by rows": memory[0] / memory[1],
        "a candidate by rows, MiB": memory[1] / MIB,
    }
    print(found, flush=True)
    return found


def steps(inputs: InputShape, data: ResidentData) -> Iterator[None]:
    """One step at a time, for ever."""
    graph = candidate_graph()
    pack = PackTrainer(
        graph=graph,
        inputs=inputs,
        routes=[full_route(graph)] * CANDIDATES,
        settings=[Settings(lr=1e-3, dropout=0.1)] * CANDIDATES,
        tasks=TASKS,
        data=data,
        recipe=RECIPE,
        parts=("train",),
    )
    for epoch in range(RECIPE.epochs):
        for batch in pack._stream.epoch(epoch):
            pack._train_step(batch)
            yield


def table_rows(size: int) -> ResidentData:
    """Values evenly drawn; labels that depend on the numbers."""
    rng = np.random.default_rng(0)
    count = BATCH * BATCHES
    numeric = rng.standard_normal((count, NUMBERS)).astype(np.float32)
    rows = Rows(
        categorical=rng.integers(0, size, (count, 1)).astype(np.int32),
        numeric=numeric,
        labels=(numeric[:, : len(TASKS)] > 0).astype(np.float32),
        parts={"train": np.arange(count), "valid": np.arange(BATCH)},
    )
    return ResidentData.of(rows, torch.device("cpu"))


if __name__ == "__main__":
    main()
