"""The export of an ensemble: several routes, stacked seeds, trees for some tasks, on every kind of column."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.data import DataSchema, encode_rows
from mtnas.data.encoding_spec import (
    CategoricalSpec,
    NumericSpec,
    PeriodicNumbers,
    PiecewiseNumbers,
    PlainNumbers,
    RangedNumbers,
)
from mtnas.ensembles.forest import CODES, Forest
from mtnas.ensembles.linear import Linear, places_of
from mtnas.ensembles.mixture import chances, mixture
from mtnas.ensembles.table_inputs import TableInputs
from mtnas.errors import ExportError
from mtnas.export import Manifest, Member, ModelMember, export_ensemble, verify_export
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.supernets import freeze
from tests.export.cases import PROVENANCE, TASKS, Trained, import_export, mixed_schema, mixed_table, towers, trained

SCHEMES = ("mmoe", "mmoe", "cross_stitch", "single_task")
SHARES = {"late": (0.25, 0.25, 0.0, 0.25), "class": (0.5, 0.0, 0.25, 0.25), "price": (0.1, 0.2, 0.2, 0.2)}
TREE_SHARES, LINEAR_SHARES = {"late": 0.125}, {"late": 0.125, "price": 0.3}


def networks(schema: DataSchema) -> list[Trained]:
    found = []
    for seed, scheme in enumerate(SCHEMES):
        named = NAMED_ROUTES[scheme](towers(), Size(layers=1, experts=2, width=6))
        found.append(trained(named.graph, named.route, schema=schema, seed=seed))
    return found


def forest(schema: DataSchema, *, trees: int = 7, depth: int = 3, seed: int = 0) -> Forest:
    """Complete trees that ask every kind of column, with random thresholds, sets and values."""
    rng = np.random.default_rng(seed)
    inputs = TableInputs(
        vocabularies=schema.inputs.vocabularies[: len(schema.categorical)],
        num_numeric=schema.inputs.num_numeric,
        elements=((0, 1, 2),),
    )
    inner, size = 2**depth - 1, 2 ** (depth + 1) - 1
    own = np.arange(trees * size).reshape(trees, size)
    places, leaf = np.arange(size), np.arange(size) >= inner
    starts = own[:, :1]
    feature = np.where(leaf, 0, rng.integers(inputs.width, size=(trees, size)))
    by_set = ~leaf & np.isin(feature, inputs.categorical)
    members = np.full((trees, size), -1)
    members[by_set] = np.arange(by_set.sum())
    return Forest(
        inputs=inputs,
        depth=depth,
        feature=torch.from_numpy(feature.reshape(-1)),
        threshold=torch.from_numpy(np.where(leaf, np.inf, rng.normal(size=(trees, size))).reshape(-1)).float(),
        left=torch.from_numpy(np.where(leaf, own, starts + 2 * places + 1).reshape(-1)),
        right=torch.from_numpy(np.where(leaf, own, starts + 2 * places + 2).reshape(-1)),
        members=torch.from_numpy(members.reshape(-1)),
        value=torch.from_numpy(np.where(leaf, rng.normal(size=(trees, size)), 0.0).reshape(-1)),
        sets=torch.from_numpy(rng.random((int(by_set.sum()), CODES)) < 0.5),
        roots=torch.from_numpy(own[:, 0].copy()),
        output_of=torch.zeros(trees, dtype=torch.int64),
        baseline=torch.tensor([0.3], dtype=torch.float64),
    )


def linear(schema: DataSchema, *, seed: int = 0) -> Linear:
    """Random numbers; the second categorical column knows fewer codes than there are."""
    generator = torch.Generator().manual_seed(seed)
    inputs = forest(schema).inputs
    first, sizes = places_of(inputs)
    sizes[1] -= 1
    return Linear(
        inputs=inputs,
        first=first,
        sizes=sizes,
        table=torch.randn(int(first[-1] + sizes[-1]), 1, generator=generator, dtype=torch.float64),
        weight=torch.randn(inputs.width - len(sizes), 1, generator=generator, dtype=torch.float64),
        bias=torch.randn(1, generator=generator, dtype=torch.float64),
    )


def models(schema: DataSchema) -> list[ModelMember]:
    """Trees for one task, linear models for two."""
    found = [
        ModelMember(task=task, kind="boosted_trees", model=forest(schema), share=share)
        for task, share in TREE_SHARES.items()
    ]
    return found + [
        ModelMember(task=task, kind="linear", model=linear(schema, seed=seed), share=share)
        for seed, (task, share) in enumerate(LINEAR_SHARES.items())
    ]


def exported(
    folder: Path, *, trees: bool = True, schema: DataSchema | None = None
) -> tuple[Manifest, dict[str, Tensor]]:
    """An export, and what its members' own supernets and trees say together."""
    schema, table = schema or mixed_schema(), mixed_table()
    cases, fitted = networks(schema), models(schema)
    members = [
        Member(
            label=SCHEMES[place],
            frozen=freeze(cases[place].supernet, cases[place].route),
            route=cases[place].route,
            graph=cases[place].graph,
            gate={},
            shares={task: shares[place] for task, shares in SHARES.items() if shares[place]},
        )
        for place in range(len(cases))
    ]
    manifest = export_ensemble(
        folder,
        digest="e" * 64,
        members=members,
        models=models(schema) if trees else [],
        drawn=(cases[0].graph, cases[0].route),
        schema=schema,
        tasks=TASKS,
        rows=table,
        provenance=PROVENANCE,
    )
    rows = encode_rows(schema, table)
    inputs = fitted[0].model.inputs
    matrix = inputs.matrix(categorical=rows.categorical, numeric=rows.numeric, bags=rows.bags, images=rows.images)
    said = [case.outputs() for case in cases]
    expected = {}
    for task in TASKS:
        heard = [(said[place][task.name], share) for place, share in enumerate(SHARES[task.name]) if share]
        heard += [(m.model.outputs(torch.from_numpy(matrix)), m.share) for m in fitted if m.task == task.name]
        expected[task.name] = mixture(task, torch.stack([o for o, _ in heard]), [s for _, s in heard])
    return manifest, expected


def answers(folder: Path) -> tuple[Any, Mapping[str, Any], dict[str, Tensor]]:
    model, preprocessing = import_export(folder).load()
    inputs = preprocessing(json.loads((folder / "example_rows.json").read_text()))
    with torch.no_grad():
        return model, inputs, model(**model.tensors(inputs))


def test_it_says_what_its_members_say_together(tmp_path: Path) -> None:
    manifest, expected = exported(tmp_path / "ensemble")
    model, inputs, found = answers(tmp_path / "ensemble")
    assert list(found) == [task.name for task in TASKS]
    for name, output in expected.items():
        torch.testing.assert_close(found[name], output, rtol=1e-5, atol=1e-5)
    predictions = model.predict(inputs)
    torch.testing.assert_close(predictions["late"], chances(TASKS[0], expected["late"]).float()[:, 0])
    torch.testing.assert_close(predictions["class"].sum(dim=1), torch.ones(len(predictions["class"])))
    fitted = sum(member.model.num_params for member in models(mixed_schema()))
    assert manifest.num_params == sum(p.numel() for p in model.parameters()) + fitted
    assert [member.label for member in manifest.members] == [*SCHEMES, "boosted_trees", "linear"]
    assert manifest.members[-1].shares == LINEAR_SHARES


@pytest.mark.parametrize(
    "numeric",
    [PlainNumbers(), RangedNumbers(), PiecewiseNumbers(width=5), PeriodicNumbers(frequencies=4, width=3)],
    ids=lambda numeric: numeric.kind,
)
def test_stacked_networks_read_every_encoding(tmp_path: Path, numeric: NumericSpec) -> None:
    schema = mixed_schema(numeric=numeric, categorical=CategoricalSpec(one_hot=9))
    _, expected = exported(tmp_path / "ensemble", schema=schema)
    _, _, found = answers(tmp_path / "ensemble")
    for name, output in expected.items():
        torch.testing.assert_close(found[name], output, rtol=1e-5, atol=1e-5)


def test_networks_of_one_route_are_stacked(tmp_path: Path) -> None:
    exported(tmp_path / "ensemble")
    model, _, _ = answers(tmp_path / "ensemble")
    assert [route.weights[0].shape[0] for route in model.routes] == [2, 1, 1]


def test_every_member_can_be_taken_out_alone(tmp_path: Path) -> None:
    exported(tmp_path / "ensemble")
    model, inputs, _ = answers(tmp_path / "ensemble")
    expected = [case.outputs() for case in networks(mixed_schema())]
    places = [(0, 0), (0, 1), (1, 0), (2, 0)]
    for (route, place), outputs in zip(places, expected, strict=True):
        network = model.member(route, place)
        assert sum(p.numel() for p in network.parameters()) > 0
        with torch.no_grad():
            found = network(**model.tensors(inputs))
        for name, output in outputs.items():
            torch.testing.assert_close(found[name], output, rtol=1e-5, atol=1e-5)


def test_its_own_check_passes_without_mtnas_and_fails_on_other_weights(tmp_path: Path) -> None:
    exported(tmp_path / "ensemble")
    verify_export(tmp_path / "ensemble")
    plan = json.loads((tmp_path / "ensemble" / "ensemble.json").read_text())
    plan["tasks"][0]["shares"] = plan["tasks"][0]["shares"][::-1]
    (tmp_path / "ensemble" / "ensemble.json").write_text(json.dumps(plan))
    with pytest.raises(ExportError, match=r"ensemble\.json"):
        verify_export(tmp_path / "ensemble")


def test_trees_alone_are_an_ensemble_too(tmp_path: Path) -> None:
    schema, grown = mixed_schema(), forest(mixed_schema())
    case = networks(schema)[3]
    tasks = TASKS[:1]
    graph = NAMED_ROUTES["single_task"](towers(tasks), Size(layers=1, experts=2, width=6))
    export_ensemble(
        tmp_path / "trees",
        digest="e" * 64,
        members=[],
        models=[ModelMember(task="late", kind="boosted_trees", model=grown, share=1.0)],
        drawn=(graph.graph, graph.route),
        schema=schema,
        tasks=tasks,
        rows=case.table,
        provenance=PROVENANCE,
    )
    _, _, found = answers(tmp_path / "trees")
    rows = encode_rows(schema, case.table)
    matrix = grown.inputs.matrix(categorical=rows.categorical, numeric=rows.numeric, bags=rows.bags, images=rows.images)
    torch.testing.assert_close(found["late"], grown.outputs(torch.from_numpy(matrix)), rtol=1e-5, atol=1e-5)


def test_a_code_that_a_linear_model_does_not_know_counts_as_the_first() -> None:
    found = linear(mixed_schema())
    matrix = torch.zeros(2, found.inputs.width)
    matrix[1, 1] = float(found.sizes[1])
    outputs = found.outputs(matrix)
    torch.testing.assert_close(outputs[0], outputs[1])
    matrix[1, 1] = 1.0
    assert not found.outputs(matrix)[1].equal(outputs[0])


def test_a_linear_model_survives_its_bytes() -> None:
    before = linear(mixed_schema())
    after = Linear.from_bytes(before.to_bytes())
    assert after.inputs == before.inputs
    assert all(tensor.equal(after.tensors()[name]) for name, tensor in before.tensors().items())


def test_shares_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"add up to 1, found 0\.75"):
        exported(tmp_path / "ensemble", trees=False)


def test_equal_members_give_equal_bytes(tmp_path: Path) -> None:
    first, _ = exported(tmp_path / "first")
    second, _ = exported(tmp_path / "second")
    assert first == second


def test_a_forest_survives_its_bytes() -> None:
    before = forest(mixed_schema())
    after = Forest.from_bytes(before.to_bytes())
    assert after.inputs == before.inputs
    assert all(tensor.equal(after.tensors()[name]) for name, tensor in before.tensors().items())
    assert replace(before, depth=1).operations < before.operations
