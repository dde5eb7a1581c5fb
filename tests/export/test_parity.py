"""The generated module is the trained route: equal outputs, equal parameters, whatever the route."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import search_spaces
from mtnas.data.encoding_spec import (
    CategoricalSpec,
    NumericSpec,
    PeriodicNumbers,
    PiecewiseNumbers,
    PlainNumbers,
    RangedNumbers,
)
from mtnas.errors import ExportError
from mtnas.export import export_module
from mtnas.export.exportable import check_exportable
from mtnas.routes import (
    NAMED_ROUTES,
    Block,
    BlockKind,
    Edge,
    EdgeState,
    Encoder,
    GateKind,
    Junction,
    Mix,
    Route,
    RouteGraph,
    Slot,
    canonical_route,
    cost,
)
from mtnas.routes.schemes.by_name import Size
from mtnas.supernets import freeze
from tests.export.cases import PROVENANCE, TASKS, Trained, import_export, mixed_schema, towers, trained


def assert_same_function(case: Trained, *, tolerance: float) -> None:
    """The export, imported on its own, equals the whole supernet on the case's rows."""
    expected = case.outputs()
    with TemporaryDirectory() as folder:
        place = Path(folder) / "export"
        manifest = case.export(place)
        model, preprocessing = import_export(place).load()
        rows = json.loads((place / "example_rows.json").read_text())
        with torch.no_grad():
            found = model(**model.tensors(preprocessing(rows)))
    assert list(found) == [tower.task for tower in case.graph.towers]
    for task, output in expected.items():
        torch.testing.assert_close(found[task], output, rtol=tolerance, atol=tolerance)
    num_params = cost(case.graph, case.route, case.schema.inputs).num_params
    assert sum(parameter.numel() for parameter in model.parameters()) == num_params == manifest.num_params


# Float32 sums of fewer than 100 terms of size 1 differ by some 1e-6 between orders; float64 by some 1e-15.
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    layers=st.integers(1, 3),
    subnets=st.integers(1, 4),
    norm=st.booleans(),
    dtype=st.sampled_from([(torch.float32, 1e-5), (torch.float64, 1e-12)]),
)
def test_any_route_of_the_layered_space_is_exported_as_it_is(
    seed: int, layers: int, subnets: int, norm: bool, dtype: tuple[torch.dtype, float]
) -> None:
    options = {"layers": layers, "subnets": subnets, "width": 6, "norm": norm}
    space = search_spaces.build("mtnas", TASKS, options)
    route = canonical_route(space.graph, space.sample(np.random.default_rng(seed)))
    assert_same_function(trained(space.graph, route, seed=seed, dtype=dtype[0]), tolerance=dtype[1])


@pytest.mark.parametrize(
    "numeric",
    [
        PlainNumbers(prepare="robust"),
        RangedNumbers(prepare="quantile"),
        PiecewiseNumbers(width=5),
        PiecewiseNumbers(bins=2, prepare="quantile"),
        PeriodicNumbers(frequencies=4, width=3),
        PeriodicNumbers(frequencies=4, width=3, shared=True, prepare="robust"),
    ],
    ids=lambda numeric: f"{numeric.kind}-{numeric.prepare}",
)
@pytest.mark.parametrize("categorical", [CategoricalSpec(one_hot=3), CategoricalSpec(one_hot=9, width="vocabulary")])
@pytest.mark.parametrize("name", ["mmoe", "stem"])
def test_every_encoding_is_exported_as_it_is(numeric: NumericSpec, categorical: CategoricalSpec, name: str) -> None:
    schema = mixed_schema(numeric=numeric, categorical=categorical)
    named = NAMED_ROUTES[name](towers(), Size(layers=1, experts=2, width=5))
    case = trained(named.graph, named.route, schema=schema, dtype=torch.float64)
    assert any(column.one_hot for column in schema.categorical)
    assert_same_function(case, tolerance=1e-12)


@pytest.mark.parametrize("name", NAMED_ROUTES)
def test_every_named_route_is_exported_as_it_is(name: str) -> None:
    named = NAMED_ROUTES[name](towers(), Size(layers=2, experts=3, width=5))
    assert_same_function(trained(named.graph, named.route, dtype=torch.float64), tolerance=1e-12)


def every_mechanism() -> tuple[RouteGraph, Route]:
    """One route with each gate, each query, an identity, a forward-only edge, and an edge past a layer."""
    mlp, deep = Block(kind=BlockKind.MLP, widths=(6,)), Block(kind=BlockKind.MLP, widths=(7, 6), norm=False)
    same = Block(kind=BlockKind.IDENTITY)
    both = (EdgeState.ON, EdgeState.FORWARD_ONLY)
    graph = RouteGraph(
        encoders=(Encoder(name="x"),),
        slots=(
            Slot(name="a", layer=1, reads="in", choices=(mlp, deep)),
            Slot(name="b", layer=1, reads="in", choices=(deep,)),
            Slot(name="c", layer=2, reads="ab", choices=(same, mlp)),
            Slot(name="d", layer=2, reads="b-only", choices=(mlp,)),
        ),
        junctions=(
            Junction(name="in", edges=(Edge(source="x"),), gates=(GateKind.PASS,), queries=()),
            Junction(name="ab", edges=(Edge(source="a"), Edge(source="b", states=both)), gates=(GateKind.SUM,)),
            Junction(name="b-only", edges=(Edge(source="b", states=both),)),
            Junction(name="to.late", edges=tuple(map(_edge, "acd")), gates=(GateKind.AVERAGE,)),
            Junction(name="to.class", edges=tuple(map(_edge, "bd")), queries=("junction:to.late",)),
            Junction(name="to.price", edges=tuple(map(_edge, "cd")), queries=("static",)),
        ),
        towers=tuple(replace(tower, reads=f"to.{tower.task}") for tower in towers()),
    )
    route = Route.of(
        {
            "in": Mix(inputs=("x",)),
            "ab": Mix(inputs=("a", "b"), forward_only=("b",), gate=GateKind.SUM),
            "b-only": Mix(inputs=("b",), forward_only=("b",)),
            "to.late": Mix(inputs=("a", "c", "d"), gate=GateKind.AVERAGE),
            "to.class": Mix(inputs=("b", "d"), gate=GateKind.SOFTMAX, query="junction:to.late"),
            "to.price": Mix(inputs=("c", "d"), gate=GateKind.SOFTMAX, query="static"),
        },
        {"a": deep, "b": deep, "c": same, "d": mlp},
    )
    return graph, route


def _edge(source: str) -> Edge:
    return Edge(source=source)


def test_every_gate_query_and_block_is_exported_as_it_is() -> None:
    graph, route = every_mechanism()
    assert_same_function(trained(graph, route, dtype=torch.float64), tolerance=1e-12)


def test_forward_only_edges_hand_back_no_gradient(tmp_path: Path) -> None:
    graph, route = every_mechanism()
    case = trained(graph, route)
    case.export(tmp_path / "export")
    model, preprocessing = import_export(tmp_path / "export").load()
    arguments = model.tensors(preprocessing(case.table.to_pydict()))
    model(**arguments)["price"].sum().backward()
    assert model.a[0].weight.grad.abs().max() > 0
    assert model.b[0].weight.grad is None


def test_numbers_alone_or_categories_alone_are_enough(tmp_path: Path) -> None:
    named = NAMED_ROUTES["mmoe"](towers(), Size(width=5, experts=2))
    whole = trained(named.graph, named.route).schema
    for name, schema in {
        "numbers": replace(whole, categorical=(), bags=()),
        "categories": replace(whole, numeric=(), dense=(), bags=()),
        "bags": replace(whole, categorical=(), numeric=(), dense=()),
    }.items():
        case = trained(named.graph, named.route, schema=schema)
        case.export(tmp_path / name)
        model, preprocessing = import_export(tmp_path / name).load()
        found = model(**model.tensors(preprocessing(case.table.to_pydict())))
        torch.testing.assert_close(found["late"], case.outputs()["late"], rtol=1e-5, atol=1e-5)


def test_predictions_are_probabilities_and_values(tmp_path: Path) -> None:
    named = NAMED_ROUTES["shared_bottom"](towers(), Size(width=5))
    case = trained(named.graph, named.route)
    case.export(tmp_path / "export")
    model, preprocessing = import_export(tmp_path / "export").load()
    found, outputs = model.predict(preprocessing(case.table.to_pydict())), case.outputs()
    torch.testing.assert_close(found["late"], outputs["late"][:, 0].sigmoid())
    torch.testing.assert_close(found["class"], outputs["class"].softmax(1))
    torch.testing.assert_close(found["price"], outputs["price"][:, 0])


def test_the_module_goes_through_torch_export(tmp_path: Path) -> None:
    space = search_spaces.build("mtnas", TASKS, {"layers": 2, "subnets": 3, "width": 6})
    route = canonical_route(space.graph, space.sample(np.random.default_rng(1)))
    case = trained(space.graph, route)
    case.export(tmp_path / "export")
    model, preprocessing = import_export(tmp_path / "export").load()
    arguments = model.tensors(preprocessing(case.table.to_pydict()))
    rows = torch.export.Dim("rows", min=2)
    program = torch.export.export(model, (), arguments, dynamic_shapes={name: {0: rows} for name in arguments})
    part = {name: tensor[:7] for name, tensor in arguments.items()}
    for task, output in program.module()(**part).items():
        torch.testing.assert_close(output, case.outputs()[task][:7], rtol=1e-5, atol=1e-5)


def test_what_the_source_has_no_words_for_is_refused_by_name() -> None:
    graph, route = every_mechanism()
    case = trained(graph, route)
    frozen = freeze(case.supernet, route)
    frozen.extra = torch.nn.Linear(2, 2)
    with pytest.raises(ExportError) as error:
        check_exportable(case.graph, case.route, frozen)
    assert (error.value.where, error.value.found) == ("frozen", "extra")


def test_a_network_of_another_route_is_refused(tmp_path: Path) -> None:
    space = search_spaces.build("mtnas", TASKS, {"layers": 2, "subnets": 2, "width": 4})
    one, other = (canonical_route(space.graph, space.sample(np.random.default_rng(seed))) for seed in (1, 2))
    case = trained(space.graph, one)
    with pytest.raises(ExportError, match="another"):
        export_module(
            tmp_path / "export",
            frozen=freeze(case.supernet, one),
            route=other,
            graph=space.graph,
            schema=case.schema,
            tasks=TASKS,
            rows=case.table,
            provenance=PROVENANCE,
        )
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(("value", "message"), [(float("nan"), "finite weights"), (3e38, "finite outputs")])
def test_a_diverged_network_is_refused(tmp_path: Path, value: float, message: str) -> None:
    named = NAMED_ROUTES["shared_bottom"](towers(), Size(width=5, norm=False))
    case = trained(named.graph, named.route)
    with torch.no_grad():
        for parameter in case.supernet.parameters():
            parameter.fill_(value)
    with pytest.raises(ExportError, match=message):
        case.export(tmp_path / "export")
