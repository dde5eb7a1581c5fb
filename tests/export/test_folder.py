"""The folder of an export: its files, equal bytes for equal modules, whole or not at all, and its zip."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from mtnas.errors import ExportError
from mtnas.export import Manifest, export_module
from mtnas.routes import NAMED_ROUTES, Route, cost, route_digest
from mtnas.routes.schemes.by_name import Size
from mtnas.supernets import freeze
from tests.export.cases import PROVENANCE, Trained, towers, trained

FILES = {
    *(
        "MODEL_CARD.md",
        "README.md",
        "check.py",
        "serve.py",
        "example_rows.json",
        "expected_outputs.safetensors",
        "manifest.json",
        "model.py",
    ),
    *("model.safetensors", "preprocessing.json", "preprocessing.py", "route.svg", "value_text.py", "vocabularies.json"),
}


@pytest.fixture
def case() -> Trained:
    named = NAMED_ROUTES["mmoe"](towers(), Size(width=5, experts=2))
    return trained(named.graph, named.route)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_equal_modules_give_equal_bytes(case: Trained, tmp_path: Path) -> None:
    case.export(tmp_path / "one")
    case.export(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "one")) == FILES


def test_only_the_manifest_knows_when_it_was_made(case: Trained, tmp_path: Path) -> None:
    folders = []
    for year in (2026, 2027):
        provenance = PROVENANCE | {"created_at": datetime(year, 1, 1, tzinfo=UTC)}
        folders.append(tmp_path / str(year))
        export_module(
            folders[-1],
            frozen=freeze(case.supernet, case.route),
            route=case.route,
            graph=case.graph,
            schema=case.schema,
            tasks=case.tasks,
            rows=case.table,
            provenance=provenance,
        )
    first, second = map(contents, folders)
    assert {name for name in first if first[name] != second[name]} == {"manifest.json"}


def test_the_manifest_says_what_was_exported(case: Trained, tmp_path: Path) -> None:
    manifest = case.export(tmp_path / "export")
    assert Manifest.read(tmp_path / "export") == manifest
    assert manifest.route.digest == route_digest(case.graph, case.route)
    assert Route.parse(manifest.route.text) == case.route
    assert manifest.macs == cost(case.graph, case.route, case.schema.inputs).macs
    assert [(task.name, task.prediction, task.outputs) for task in manifest.tasks] == [
        ("late", "probability", 1),
        ("class", "probabilities", 3),
        ("price", "value", 1),
    ]
    found = {name: sha256(content).hexdigest() for name, content in contents(tmp_path / "export").items()}
    assert manifest.files == {name: digest for name, digest in found.items() if name != "manifest.json"}


def test_figures_that_json_lacks_become_null(case: Trained, tmp_path: Path) -> None:
    provenance = PROVENANCE | {"metrics": {"late": {"auc": float("nan"), "all": [1.0, float("inf")]}}}
    export_module(
        tmp_path / "export",
        frozen=freeze(case.supernet, case.route),
        route=case.route,
        graph=case.graph,
        schema=case.schema,
        tasks=case.tasks,
        rows=case.table,
        provenance=provenance,
    )
    document = json.loads((tmp_path / "export" / "manifest.json").read_text())
    assert document["provenance"]["metrics"] == {"late": {"auc": None, "all": [1.0, None]}}


def test_an_export_is_replaced_but_nothing_else_is(case: Trained, tmp_path: Path) -> None:
    case.export(tmp_path / "export")
    case.export(tmp_path / "export")
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    with pytest.raises(ExportError, match="thesis"):
        case.export(other)
    assert (other / "chapter.txt").read_text() == "years of work"
    assert {path.name for path in tmp_path.iterdir()} == {"export", "thesis"}


@pytest.mark.parametrize(
    ("provenance", "place"),
    [({}, "provenance.created_at"), (PROVENANCE | {"machine": "mine"}, "provenance.machine")],
)
def test_provenance_is_checked(case: Trained, tmp_path: Path, provenance: dict[str, object], place: str) -> None:
    with pytest.raises(ExportError, match=place):
        export_module(
            tmp_path / "export",
            frozen=freeze(case.supernet, case.route),
            route=case.route,
            graph=case.graph,
            schema=case.schema,
            tasks=case.tasks,
            rows=case.table,
            provenance=provenance,
        )


def test_arguments_that_do_not_fit_are_named(case: Trained, tmp_path: Path) -> None:
    for wrong, place in (
        (replace(case, tasks=case.tasks[:2]), "tasks"),
        (replace(case, schema=replace(case.schema, bags=())), "schema"),
        (replace(case, table=case.table.slice(0, 0)), "rows"),
    ):
        with pytest.raises(ExportError) as error:
            wrong.export(tmp_path / "export")
        assert error.value.where == place


def test_the_folder_holds_nothing_that_this_machine_named(case: Trained, tmp_path: Path) -> None:
    case.export(tmp_path / "export")
    for name, content in contents(tmp_path / "export").items():
        assert str(tmp_path).encode() not in content, name
        if name.endswith(".py"):
            assert b"import mtnas" not in content
            assert b"from mtnas" not in content
