"""The memory that a pack is said to take is what it takes, within a factor."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch._C._profiler import _EventType

from mtnas.routes import InputShape, NumberMaps, canonical_route, shape_graph
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.pack_memory import MIB, PackMemory, pack_memory
from mtnas.training.recipe import Recipe
from mtnas.training.step.balancing import PackShape, make_balancer
from mtnas.training.step.balancing.balancer import GramBalancer, JacobianBalancer
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import AlignmentSpec, AuxiliarySpec, EqualBalancer, GdodBalancer, needs_task_gradients
from mtnas.trials import Settings
from search_spaces import build
from tests.training.problem import Arrays
from tests.training.step.balancing.contract import EVERY

FACTOR = 2.0  # how far the estimate may be from the measured peak, either way
PART_ROWS = 2048
RECIPE = Recipe(batch_size=512, epochs=1, evaluate_every=2)
LAYERED = {"layers": 2, "subnets": 4, "width": 64}
DENSE = InputShape(num_numeric=264)
NUMBERS = InputShape(
    num_numeric=80,
    numbers=NumberMaps(columns=tuple(range(40)), width=12, segments=(48,) * 40, places=tuple(range(40, 80))),
)
TABLE = InputShape(vocabularies=(100_000,), embedding_widths=(8,), num_numeric=16)
SMALL_TABLE = replace(TABLE, large_table=2**62)


def tasks_of(count: int) -> tuple[Task, ...]:
    return tuple(Task(name=f"t{t}", kind=TaskKind.BINARY, label=f"t{t}", tower=(32,)) for t in range(count))


def rows_for(inputs: InputShape, num_tasks: int) -> ResidentData:
    rng = np.random.default_rng(0)
    num_rows = 4 * PART_ROWS
    sizes = inputs.vocabularies
    arrays = Arrays(
        categorical=np.stack([rng.integers(0, size, num_rows) for size in sizes], 1).astype(np.int32)
        if sizes
        else np.zeros((num_rows, 0), np.int32),
        numeric=rng.standard_normal((num_rows, inputs.num_numeric)).astype(np.float32),
        bags=(),
        labels=(rng.random((num_rows, num_tasks)) < 0.5).astype(np.float32),
        parts=dict(zip(("train", "search", "valid", "test"), np.split(np.arange(num_rows), 4), strict=True)),
    )
    return ResidentData.of(arrays, torch.device("cpu"))


def peak_bytes(work: Callable[[], object]) -> int:
    """Most bytes that torch held at one time beyond what it held before, by its allocator's own events."""
    gc.collect()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    assert profile.profiler is not None
    waiting, found = list(profile.profiler.kineto_results.experimental_event_tree()), []
    while waiting:
        event = waiting.pop()
        waiting.extend(event.children)
        if event.tag == _EventType.Allocation:
            found.append((event.start_time_ns, event.extra_fields.alloc_size))
    held = np.cumsum([size for _, size in sorted(found)])
    return int(held.max())


def measured_and_estimated(
    num_candidates: int, recipe: Recipe, inputs: InputShape, num_tasks: int, scheme: str, options: dict[str, Any]
) -> tuple[int, PackMemory]:
    tasks = tasks_of(num_tasks)
    space, rng = build(scheme, tasks, options), np.random.default_rng(1)
    route = canonical_route(space.graph, space.sample(rng))
    graph = shape_graph(space.graph, route)
    data = rows_for(inputs, num_tasks)

    def train() -> None:
        pack = PackTrainer(
            graph=graph,
            inputs=inputs,
            routes=[route] * num_candidates,
            settings=[Settings(seed=seed, dropout=0.1) for seed in range(num_candidates)],
            tasks=tasks,
            data=data,
            recipe=recipe,
            parts=("train",),
        )
        next(pack.run())
        _ = pack.state()

    return peak_bytes(train), pack_memory(graph, inputs, tasks, recipe, evaluated_rows=PART_ROWS)


CASES: dict[str, tuple[int, Recipe, InputShape, int, str, dict[str, Any]]] = {
    "one candidate": (1, RECIPE, DENSE, 2, "mtnas", LAYERED),
    "four candidates": (4, RECIPE, DENSE, 2, "mtnas", LAYERED),
    "large batches": (2, replace(RECIPE, batch_size=2048), DENSE, 2, "mtnas", LAYERED),
    "small batches": (4, replace(RECIPE, batch_size=64), DENSE, 2, "mtnas", LAYERED),
    "wide": (1, RECIPE, DENSE, 2, "mtnas", LAYERED | {"width": 256}),
    "deep": (1, RECIPE, DENSE, 2, "mtnas", {"layers": 3, "subnets": 8, "width": 64}),
    "mapped numbers": (2, RECIPE, NUMBERS, 2, "mtnas", LAYERED),
    "a large table": (2, replace(RECIPE, batch_size=256), TABLE, 2, "mtnas", LAYERED),
    "a table that counts as small": (2, replace(RECIPE, batch_size=256), SMALL_TABLE, 2, "mtnas", LAYERED),
    "task gradients": (2, replace(RECIPE, balancer=GdodBalancer()), DENSE, 4, "mtnas", LAYERED),
    "task gradients of a large table": (
        2,
        replace(RECIPE, balancer=GdodBalancer(), batch_size=64),
        TABLE,
        4,
        "mtnas",
        LAYERED,
    ),
    "task gradients of a table that counts as small": (
        2,
        replace(RECIPE, balancer=GdodBalancer(), batch_size=64),
        SMALL_TABLE,
        4,
        "mtnas",
        LAYERED,
    ),
    "small towers": (2, replace(RECIPE, auxiliary=AuxiliarySpec()), DENSE, 4, "mtnas", LAYERED),
    "alignment": (1, replace(RECIPE, alignment=AlignmentSpec()), DENSE, 3, "mtnas", LAYERED),
    "transformations": (2, RECIPE, DENSE, 2, "snr", {"transform": True}),
    "allocation": (2, RECIPE, DENSE, 3, "joint", {}),
    "recurrent": (2, RECIPE, InputShape(num_numeric=24), 2, "mt_rmn", {"channels": 2, "subnets": 3}),
    "images of tasks": (
        1,
        replace(RECIPE, batch_size=16, own_rows=True),
        InputShape(num_numeric=256),
        3,
        "gumbel_matrix",
        {"layers": 2, "channels": 8, "image": [1, 16, 16]},
    ),
    "rows of tasks": (2, replace(RECIPE, batch_size=256, own_rows=True), DENSE, 4, "gumbel_matrix", {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_estimate_is_within_a_factor_of_two_of_the_peak(
    case: tuple[int, Recipe, InputShape, int, str, dict[str, Any]],
) -> None:
    measured, estimated = measured_and_estimated(*case)
    said = case[0] * estimated.per_candidate
    assert measured / FACTOR < said < measured * FACTOR, (measured / MIB, said / MIB, estimated)


def test_as_many_candidates_fit_as_the_budget_holds() -> None:
    memory = PackMemory(parameters=50, step=30, evaluation=10, state=20)
    assert memory.per_candidate == 80
    assert [memory.most_candidates(budget) for budget in (-5, 79, 80, 239, 240)] == [0, 0, 1, 2, 3]


@pytest.mark.parametrize("settings", EVERY, ids=[settings.kind for settings in EVERY])
def test_gradients_per_task_are_counted_for_the_balancers_that_weigh_them(settings: Any) -> None:
    shape = PackShape(tasks=tasks_of(2), seeds=(0,), steps_per_epoch=4, device=torch.device("cpu"), dtype=torch.float64)
    weighs_gradients = isinstance(make_balancer(settings, shape), GramBalancer | JacobianBalancer)
    assert needs_task_gradients(settings) is weighs_gradients


def test_a_table_trained_by_rows_takes_less() -> None:
    recipe = replace(RECIPE, balancer=GdodBalancer(), batch_size=64)
    by_rows, whole = (measured_and_estimated(2, recipe, shape, 4, "mtnas", LAYERED) for shape in (TABLE, SMALL_TABLE))
    assert by_rows[0] < 0.7 * whole[0]
    assert by_rows[1].per_candidate < 0.7 * whole[1].per_candidate


def test_what_does_not_fit_is_explained() -> None:
    _, memory = measured_and_estimated(1, replace(RECIPE, balancer=EqualBalancer()), TABLE, 2, "mtnas", LAYERED)
    assert f"{-(-memory.per_candidate // MIB)} MiB for one candidate" in memory.text
