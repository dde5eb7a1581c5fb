"""Exports to test: a table of every kind of column, tasks of every kind, routes with random weights."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from mtnas.data import DataSchema, encode_rows
from mtnas.data.data_spec import Feature
from mtnas.data.encoding.fitting import fit_schema
from mtnas.data.encoding_spec import CategoricalSpec, NumericSpec, RangedNumbers
from mtnas.export import Manifest, export_module
from mtnas.export.expected_outputs import UnlabelledRows
from mtnas.routes import Route, RouteGraph, Tower
from mtnas.supernets import Selection, Supernet, freeze
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData

TASKS = (
    Task(name="late", kind=TaskKind.BINARY, label="dep_late", tower=(8,)),
    Task(name="class", kind=TaskKind.MULTICLASS, label="kind", num_classes=3, tower=()),
    Task(name="price", kind=TaskKind.REGRESSION, label="price", tower=(8, 4)),
)
PROVENANCE = {"created_at": datetime(2026, 1, 2, tzinfo=UTC), "job_id": "job-1", "metrics": {"late": {"auc": 0.9}}}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A supernet with random weights, and one route of it."""

    graph: RouteGraph
    route: Route
    schema: DataSchema
    table: pa.Table
    tasks: Sequence[Task]
    supernet: Supernet

    def outputs(self) -> dict[str, Tensor]:
        """What the whole supernet says when it is told the route: ``[N, outputs]`` per task."""
        dtype = next(self.supernet.parameters()).dtype
        rows = UnlabelledRows.of(encode_rows(self.schema, self.table))
        batch = ResidentData.of(rows, torch.device("cpu"), dtype=dtype).gather(torch.arange(self.table.num_rows)[None])
        selection = Selection.from_routes(self.graph, [[self.route]], dtype=dtype)
        with torch.no_grad():
            found = self.supernet(batch, selection)
        return {task: output[0] for task, output in zip(self.graph.tasks, found, strict=True)}

    def export(self, folder: Path) -> Manifest:
        """Write the route's export."""
        return export_module(
            folder,
            frozen=freeze(self.supernet, self.route),
            route=self.route,
            graph=self.graph,
            schema=self.schema,
            tasks=self.tasks,
            rows=self.table,
            provenance=PROVENANCE,
        )


def towers(tasks: Sequence[Task] = TASKS) -> list[Tower]:
    """The tasks' towers, for building graphs."""
    return [Tower(task=task.name, reads="", hidden=task.tower, outputs=task.num_outputs) for task in tasks]


def mixed_table(num_rows: int = 24) -> pa.Table:
    """Every kind of column, with missing values."""
    rng = np.random.default_rng(5)

    def some(values: Sequence[object]) -> list[object]:
        return [values[int(i)] for i in rng.integers(len(values), size=num_rows)]

    return pa.table(
        {
            "carrier": pa.array(some(["UA", "AA", "B6", None, ""])),
            "month": pa.array(some([1, 2, 12, None]), pa.int64()),
            "delay": pa.array(some([1.5, -20.0, 300.0, None, float("nan")]), pa.float64()),
            "distance": pa.array(some([100, 2475, 733]), pa.int32()),
            "place": pa.array(some([[0.5, 1.0], [2.0, -1.0], None]), pa.list_(pa.float32())),
            "words": pa.array(some(["late night", "early", None, "", "night  early rain"])),
        }
    )


def mixed_schema(
    table: pa.Table | None = None,
    *,
    numeric: NumericSpec | None = None,
    categorical: CategoricalSpec | None = None,
) -> DataSchema:
    """How to encode ``mixed_table``; fitted on half of its rows, so that some values are unknown."""
    features = [
        Feature(column="carrier", kind="categorical", embedding_width=3),
        Feature(column="delay", kind="numeric"),
        Feature(column="month", kind="categorical", embedding_width=2),
        Feature(column="distance", kind="numeric", bins=0),
        Feature(column="place", kind="dense_vector"),
        Feature(column="words", kind="multi_valued", embedding_width=2),
    ]
    table = mixed_table() if table is None else table
    if categorical is not None:
        features = [feature.model_copy(update={"embedding_width": None}) for feature in features]
    return fit_schema(
        table,
        features,
        np.arange(0, table.num_rows, 2),
        numeric=numeric or RangedNumbers(),
        categorical=categorical or CategoricalSpec(),
    )


def trained(
    graph: RouteGraph,
    route: Route,
    *,
    tasks: Sequence[Task] = TASKS,
    schema: DataSchema | None = None,
    table: pa.Table | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Trained:
    """A supernet of this graph whose every weight is random, biases and normalisations included."""
    table = mixed_table() if table is None else table
    schema = mixed_schema(table) if schema is None else schema
    supernet = Supernet(graph, schema.inputs, [0], dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in supernet.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return Trained(graph=graph, route=route, schema=schema, table=table, tasks=tasks, supernet=supernet)


def import_export(folder: Path) -> ModuleType:
    """The export's ``model.py``, as a module of a package that no other test has imported."""
    package = f"{folder.name}_{abs(hash(folder))}"
    target = folder.with_name(package)
    if not target.exists():
        target.symlink_to(folder, target_is_directory=True)
    sys.path.insert(0, str(folder.parent))
    try:
        importlib.invalidate_caches()
        return importlib.import_module(f"{package}.model")
    finally:
        sys.path.remove(str(folder.parent))
