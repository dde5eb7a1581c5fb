"""Cost of every balancer: time of a training step as a ratio to equal weights.

One thread, a mixture of experts on generated rows, packs of 1 and 8 candidates, 2 and 4 tasks. The methods take turns
step by step, so that other work on the machine hits all alike; medians of the steps are compared.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from statistics import median
from typing import get_args

import altair
import torch

from benchmarks.packs import access, towers
from benchmarks.publishing import publish
from mtnas.data import EncodedData, load
from mtnas.routes.schemes.by_name import Size, mmoe
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import BalancerSpec, StaticBalancer, needs_lone_candidate
from mtnas.trials import Settings

PACKS, NUM_TASKS, STEPS, BATCH = (1, 8), (2, 4), 25, 512
SIZE = Size(layers=1, experts=4, width=64)


def main() -> None:
    """Measure and publish."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    methods = [kind(weights={}) if kind is StaticBalancer else kind() for kind in get_args(get_args(BalancerSpec)[0])]
    ratios: dict[str, dict[str, float]] = {}
    for num_tasks in NUM_TASKS:
        options = {"num_tasks": num_tasks, "clusters": 2, "rows": 4_000, "dims": 64}
        tasks = [Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}") for i in range(num_tasks)]
        source = CatalogueSource(name="planted", options=options)
        data = load(DataSpec(source=source), tasks, access=access())
        for K in PACKS:
            chosen = [method for method in methods if K == 1 or not needs_lone_candidate(method)]
            times = measured(chosen, data, tasks, K)
            for method, seconds in times.items():
                ratios.setdefault(method, {})[f"T={num_tasks}, K={K}"] = seconds / times["equal"]
    columns = [f"T={T}, K={K}" for T in NUM_TASKS for K in PACKS]
    rows = [
        {"balancer": method, **{column: found.get(column, "packs of one") for column in columns}}
        for method, found in ratios.items()
    ]
    check = ", ".join(f"{ratio:.2f}" for ratio in ratios["static"].values())
    publish(
        "balancers",
        title="Time of a training step with each balancer, as a ratio to equal weights",
        facts={"batch": BATCH, "network": f"MMoE, {SIZE.experts} experts of {SIZE.width} units", "steps": STEPS},
        rows=rows,
        chart=plot(rows, columns),
        reading=(
            "Loss methods cost next to nothing (FAMO a second forward pass); gradient methods pay T backward passes "
            "and, through the library's solvers, time per candidate."
            f" As a check of the measurement: static weights, which do what equal weights do, measured {check}."
        ),
    )


def measured(methods: Sequence[BalancerSpec], data: EncodedData, tasks: Sequence[Task], K: int) -> dict[str, float]:
    """Median seconds of a step by method."""
    named = mmoe(towers(tasks), SIZE)
    resident = ResidentData.of(data, torch.device("cpu"))
    trainers = {
        method.kind: PackTrainer(
            graph=named.graph,
            inputs=data.inputs,
            routes=[named.route] * K,
            settings=[Settings(seed=seed) for seed in range(K)],
            tasks=tasks,
            data=resident,
            recipe=Recipe(batch_size=BATCH, epochs=1000, balancer=method),
            parts=("train",),
        )
        for method in methods
    }
    batches = [batch for epoch in range(STEPS) for batch in trainers["equal"]._stream.epoch(epoch)][: STEPS + 3]
    times: dict[str, list[float]] = {kind: [] for kind in trainers}
    for batch in batches:
        for kind, trainer in trainers.items():
            started = time.perf_counter()
            trainer._train_step(batch)
            trainer._step += 1
            times[kind].append(time.perf_counter() - started)
    return {kind: median(found[3:]) for kind, found in times.items()}


def plot(rows: list[dict[str, object]], columns: Sequence[str]) -> altair.Chart:
    """Ratios on a logarithmic axis."""
    values = [
        {"balancer": row["balancer"], "case": column, "ratio": row[column]}
        for row in rows
        for column in columns
        if isinstance(row[column], float)
    ]
    x = altair.X("ratio:Q", scale=altair.Scale(type="log"), title="time of a step / equal weights")
    y = altair.Y("balancer:N", sort=[str(row["balancer"]) for row in rows])
    chart = altair.Chart(altair.Data(values=values)).mark_point(filled=True, size=60)
    return chart.encode(x=x, y=y, color="case:N").properties(width=420, height=380)


if __name__ == "__main__":
    main()
