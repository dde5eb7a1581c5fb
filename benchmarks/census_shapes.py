"""Rows in the shapes of Census-Income, drawn at random, and a two-layer candidate on them: no data is needed.

Legend: N rows, C categorical features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mtnas.routes import Block, BlockKind, GateKind, InputShape, RouteGraph, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.nodes import INPUT_QUERY
from mtnas.routes.schemes.by_name import NAMED_ROUTES, NamedRoute, Size, full_route
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings

VOCABULARIES = (
    *(10, 53, 48, 4, 25, 16, 6, 11, 3, 4, 7, 9, 7, 7, 52, 39),
    *(9, 11, 10, 11, 4, 5, 6, 44, 44, 44, 6, 4, 4, 4, 3, 49),
)
INPUTS = InputShape(vocabularies=VOCABULARIES, embedding_widths=(8,) * len(VOCABULARIES), num_numeric=8)
TASKS = tuple(Task(name=name, kind=TaskKind.BINARY, label=name, tower=(32,)) for name in ("income", "marital"))
SUBNETS, WIDTH = 4, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Encoded rows, as ``mtnas.data.EncodedData`` has them."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    parts: Mapping[str, npt.NDArray[np.int64]]
    bags: tuple[()] = ()


def census_rows(*, train: int, valid: int, seed: int = 0) -> Rows:
    """Independent features; labels that depend on two of them."""
    rng = np.random.default_rng(seed)
    num_rows = train + valid
    categorical = np.stack([rng.integers(0, size, num_rows) for size in VOCABULARIES], 1).astype(np.int32)
    numeric = rng.standard_normal((num_rows, INPUTS.num_numeric)).astype(np.float32)
    labels = np.stack([numeric[:, 0] + numeric[:, t] > 0 for t in range(len(TASKS))], 1).astype(np.float32)
    order = rng.permutation(num_rows)
    return Rows(
        categorical=categorical,
        numeric=numeric,
        labels=labels,
        parts={"train": np.sort(order[:train]), "valid": np.sort(order[train:])},
    )


def candidate_graph(*, subnets: int = SUBNETS, width: int = WIDTH) -> RouteGraph:
    """Two layers of sub-networks, every junction a softmax gate that sees the inputs."""
    return layered_graph(
        towers(),
        subnets=(subnets, subnets),
        choices=(Block(kind=BlockKind.MLP, widths=(width,), norm=True),),
        gates=(GateKind.SOFTMAX,),
        queries=(INPUT_QUERY,),
    )


def candidate_pack(rows: Rows, settings: Sequence[Settings], recipe: Recipe, *, device: str = "cpu") -> PackTrainer:
    """A pack as a job trains it; every candidate has all edges, the most costly route of the shape."""
    graph = candidate_graph()
    return pack_of(NamedRoute(name="candidate", graph=graph, route=full_route(graph)), rows, settings, recipe, device)


def named_pack(name: str, size: Size, rows: Rows, settings: Sequence[Settings], recipe: Recipe) -> PackTrainer:
    """A pack of a published scheme."""
    return pack_of(NAMED_ROUTES[name](towers(), size), rows, settings, recipe)


def pack_of(
    named: NamedRoute, rows: Rows, settings: Sequence[Settings], recipe: Recipe, device: str = "cpu"
) -> PackTrainer:
    """Candidates of one route."""
    return PackTrainer(
        graph=named.graph,
        inputs=INPUTS,
        routes=[named.route] * len(settings),
        settings=settings,
        tasks=TASKS,
        data=ResidentData.of(rows, torch.device(device)),
        recipe=recipe,
        parts=("train",),
    )


def towers() -> list[Tower]:
    """The tasks' towers."""
    return [Tower(task=t.name, reads="", hidden=t.tower, outputs=t.num_outputs) for t in TASKS]
