"""Routes of every space of the catalogue are exported as they are: each block, gate, matrix and tied slot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import search_spaces
from mtnas.data import DataSchema, encode_rows
from mtnas.data.data_spec import Feature
from mtnas.data.encoding.fitting import fit_schema
from mtnas.export import export_module
from mtnas.export.expected_outputs import UnlabelledRows
from mtnas.routes import Block, BlockKind, GateKind, cost
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.building.relaxed import with_gate
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, freeze
from mtnas.training.feeding.rows import ResidentData
from tests.export.cases import PROVENANCE, TASKS, import_export, mixed_schema, towers, trained
from tests.export.test_parity import assert_same_function
from tests.search_spaces.every_space import SMALL
from tests.search_spaces.every_space import VECTORS as VECTOR_INPUTS

VECTORS = [name for name in SMALL if SMALL[name][2] == VECTOR_INPUTS]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", VECTORS)
def test_any_route_of_the_space_is_exported_as_it_is(name: str, seed: int) -> None:
    scheme, options, _ = SMALL[name]
    space = search_spaces.build(scheme, TASKS, options)
    route = space.sample(np.random.default_rng(seed))
    assert_same_function(trained(space.graph, route, seed=seed, dtype=torch.float64), tolerance=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_routes_over_images_are_exported_as_they_are(seed: int) -> None:
    schema = replace(mixed_schema(), categorical=(), bags=())
    image = (1, schema.inputs.width, 1)
    space = search_spaces.build("gumbel_matrix", TASKS, {"layers": 2, "image": image, "channels": 4})
    route = space.sample(np.random.default_rng(seed))
    case = trained(space.graph, route, schema=schema, seed=seed, dtype=torch.float64)
    assert_same_function(case, tolerance=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_routes_over_sequences_are_exported_as_they_are(seed: int) -> None:
    schema, table = sequences()
    scheme, options, _ = SMALL["mt_rmn"]
    space = search_spaces.build(scheme, TASKS, options)
    route = space.sample(np.random.default_rng(seed))
    case = trained(space.graph, route, schema=schema, table=table, seed=seed, dtype=torch.float64)
    assert_same_function(case, tolerance=1e-11)


@pytest.mark.parametrize("query", ["input", "mean", "static"])
@pytest.mark.parametrize("kind", [kind for kind in GateKind if kind is not GateKind.PASS])
def test_every_gate_mixes_sequences_step_by_step_in_the_export_too(kind: GateKind, query: str) -> None:
    schema, table = sequences()
    block = Block(kind=BlockKind.LINEAR, widths=(6,))
    graph = with_gate(layered_graph(towers(), subnets=(3,), choices=(block,)), kind, query=query)
    graph = replace(graph, junctions=tuple(replace(junction, steps=3) for junction in graph.junctions))
    case = trained(graph, full_route(graph), schema=schema, table=table, dtype=torch.float64)
    assert_same_function(case, tolerance=1e-11)


def sequences() -> tuple[DataSchema, pa.Table]:
    """Two channels of three steps, with a missing row."""
    rng = np.random.default_rng(0)
    columns = {name: list(rng.normal(3, 2, (20, 3))) for name in ("load", "heat")}
    columns["load"][4] = None
    table = pa.table({name: pa.array(values, pa.list_(pa.float64())) for name, values in columns.items()})
    return fit_schema(table, [Feature(column=name, kind="sequence") for name in columns], np.arange(20)), table


@pytest.mark.parametrize(
    ("kind", "query", "settings"),
    [
        (GateKind.HARD_CONCRETE, "static", {"stretch_low": -0.5, "stretch_high": 1.3}),
        (GateKind.DSELECT_K, "static", {"k": 1.0, "smooth_step": 0.7}),
        (GateKind.DSELECT_K, "input", {"k": 2.0, "smooth_step": 2.0}),
        (GateKind.DSELECT_K, "mean", {}),
        (GateKind.CONTROLLER, "input", {"controller_noise": 9.0}),
        (GateKind.CONTROLLER, "mean", {}),
        (GateKind.CONTROLLER, "static", {}),
        (GateKind.BINARY, "input", {"binary_temperature": 0.3}),
        (GateKind.BINARY, "mean", {}),
        (GateKind.BINARY, "static", {}),
    ],
)
def test_settings_of_gates_go_with_the_export(
    tmp_path: Path, kind: GateKind, query: str, settings: Mapping[str, Any]
) -> None:
    space = search_spaces.build("mtnas", TASKS, {"layers": 2, "subnets": 3, "width": 5})
    graph = with_gate(space.graph, kind, query=query)
    route = full_route(graph)
    case = trained(graph, route, dtype=torch.float64)
    frozen, place = freeze(case.supernet, route), tmp_path / "export"
    export_module(
        place,
        frozen=frozen,
        route=route,
        graph=graph,
        schema=case.schema,
        tasks=TASKS,
        rows=case.table,
        provenance=PROVENANCE,
        gate=settings,
    )
    model, preprocessing = import_export(place).load()
    found = model(**model.tensors(preprocessing(json.loads((place / "example_rows.json").read_text()))))
    rows = UnlabelledRows.of(encode_rows(case.schema, case.table))
    data = ResidentData.of(rows, torch.device("cpu"), dtype=torch.float64)
    batch = data.gather(torch.arange(case.table.num_rows)[None])
    outputs = case.supernet(batch, Selection.from_routes(graph, [[route]], dtype=torch.float64, gate=[settings]))
    for tower, output in zip(graph.towers, outputs, strict=True):
        torch.testing.assert_close(found[tower.task], output[0], rtol=1e-11, atol=1e-11)
    assert sum(p.numel() for p in model.parameters()) == cost(graph, route, case.schema.inputs).num_params
