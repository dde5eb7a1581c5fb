"""A small problem with every kind of input and task, packs on it, and how to poison its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtnas.routes import InputShape, Route, RouteGraph, Tower, canonical_route, shape_graph
from mtnas.routes.building.layered import layered_graph
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData, TrainingData
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings
from tests.training.spaces import MLP, QUERIES, WIDE

TASKS = (
    Task(name="bought", kind=TaskKind.BINARY, label="bought", tower=(4,)),
    Task(name="spent", kind=TaskKind.REGRESSION, label="spent", tower=(4,)),
    Task(name="sort", kind=TaskKind.MULTICLASS, label="sort", tower=(3,), num_classes=3),
)
INPUTS = InputShape(vocabularies=(5, 3), embedding_widths=(3, 2), num_numeric=4, bag_vocabularies=(6,), bag_widths=(3,))
PARTS = {"train": 256, "search": 64, "valid": 64, "test": 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """What ``ResidentData`` reads."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    bags: tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]], ...]
    labels: npt.NDArray[np.float32]
    parts: dict[str, npt.NDArray[np.int64]]


def arrays(*, seed: int = 0, missing: float = 0.05) -> Arrays:
    """Labels that depend on the inputs; some are missing."""
    rng = np.random.default_rng(seed)
    num_rows = sum(PARTS.values())
    numeric = rng.standard_normal((num_rows, 4)).astype(np.float32)
    categorical = np.stack([rng.integers(0, size, num_rows) for size in INPUTS.vocabularies], 1).astype(np.int32)
    lengths = rng.integers(0, 4, num_rows)
    bag = np.concatenate([[0], np.cumsum(lengths)]), rng.integers(0, 6, lengths.sum()).astype(np.int32)
    signal = numeric[:, 0] * numeric[:, 1] + 0.5 * (categorical[:, 0] == 2)
    labels = np.stack([signal > 0, signal + numeric[:, 1], np.digitize(numeric[:, 2], [-0.4, 0.4])], 1)
    labels = labels.astype(np.float32)
    labels[rng.random(labels.shape) < missing] = np.nan
    rows = np.split(rng.permutation(num_rows), np.cumsum(list(PARTS.values()))[:-1])
    parts = {name: np.sort(of_part) for name, of_part in zip(PARTS, rows, strict=True)}
    return Arrays(categorical=categorical, numeric=numeric, bags=(bag,), labels=labels, parts=parts)


def resident(found: Arrays | None = None, *, dtype: torch.dtype = torch.float64) -> ResidentData:
    """The rows on the CPU."""
    return ResidentData.of(found or arrays(), torch.device("cpu"), dtype=dtype)


def with_labels(
    found: Arrays, part: str, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
) -> Arrays:
    """The same rows with other labels ``[n, T]`` in one part."""
    labels = found.labels.copy()
    labels[found.parts[part]] = change(labels[found.parts[part]])
    return replace(found, labels=labels)


def space() -> SearchSpace:
    """Two layers, two blocks to choose from, three queries."""
    towers = [Tower(task=t.name, reads="", hidden=t.tower, outputs=t.num_outputs) for t in TASKS]
    graph = layered_graph(towers, subnets=(2, 2), choices=(MLP, WIDE), queries=QUERIES)
    return SearchSpace(name="small", graph=graph, inputs=INPUTS)


@cache
def routes_of_one_shape(count: int) -> tuple[RouteGraph, tuple[Route, ...]]:
    """Different routes that can train in one pack, and their shape graph."""
    found, rng = space(), np.random.default_rng(0)
    by_shape: dict[str, dict[str, Route]] = {}
    while True:
        route = canonical_route(found.graph, found.sample(rng))
        shape = shape_graph(found.graph, route)
        routes = by_shape.setdefault(shape.digest, {})
        routes[route.text] = route
        if len(routes) == count:
            return shape, tuple(routes.values())


def trainer(
    graph: RouteGraph,
    routes: Sequence[Route],
    settings: Sequence[Settings],
    recipe: Recipe,
    *,
    data: TrainingData | None = None,
    tasks: Sequence[Task] = TASKS,
    parts: Sequence[str] = ("train",),
    inputs: InputShape = INPUTS,
) -> PackTrainer:
    """An untrained pack."""
    return PackTrainer(
        graph=graph,
        inputs=inputs,
        routes=routes,
        settings=settings,
        tasks=tasks,
        data=resident() if data is None else data,
        recipe=recipe,
        parts=parts,
    )


def trained(pack: PackTrainer) -> dict[str, Tensor]:
    """Weights by name, after the whole run."""
    for _ in pack.run():
        pass
    return weights_of(pack)


def weights_of(pack: PackTrainer) -> dict[str, Tensor]:
    """Weights by name, as they are."""
    return {name: tensor.detach().clone() for name, tensor in pack.net.named_parameters()}


def of_candidate(weights: dict[str, Tensor], k: int) -> dict[str, Tensor]:
    """One candidate's weights, as a pack of one has them."""
    return {name: tensor[k : k + 1] for name, tensor in weights.items()}


def differences(one: dict[str, Tensor], two: dict[str, Tensor]) -> Iterator[float]:
    """The largest difference of each tensor, relative to its size where that is above 1."""
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        if tensor.numel():
            yield float(((tensor - two[name]).abs() / tensor.abs().clamp(min=1)).max())
