"""Names of columns, tasks and nodes are text: none becomes code, collides, or breaks a file."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data import DataSchema
from mtnas.data.data_spec import Feature
from mtnas.data.encoding.fitting import fit_schema
from mtnas.export.source.expressions import Wiring
from mtnas.export.source.module_source import model_source
from mtnas.export.source.names import Names, literal
from mtnas.routes import NAMED_ROUTES, RouteGraph
from mtnas.routes.schemes.by_name import Size, full_route
from mtnas.tasks import Task, TaskKind
from tests.export.cases import import_export, towers, trained

HOSTILE = (
    'a"\nimport os; os.system("touch hacked")\n#',
    "a'\r\n__import__('os')",
    '"""\nraise SystemExit\n"""',
    "\\",
    "\u2028import os",
    "forward",
    "self.x = 1",
    "a b",
    "a_b",
    "1",
    "",
    "年齢",
    "x" * 300,
    "`|`</svg><script>",
    "{digest}",
    "categorical",
)
TASK_NAMES = ("class", "def", "forward", "train", "x", "torch", "mix", "self", "ｆｏｏ", "foo", "año", "_", "__class__")


def hostile_case(names: tuple[str, ...], tasks: tuple[Task, ...]) -> tuple[DataSchema, pa.Table]:
    """Columns of three kinds with these names, and values that look like code."""
    columns = {
        name: ['"""', "\nimport os", None] if index % 3 != 1 else [1.0, None, 2.0] for index, name in enumerate(names)
    }
    kinds = ("categorical", "numeric", "multi_valued")
    widths = (2, None, 2)  # numbers have one width for all
    features = [
        Feature(column=name, kind=kinds[index % 3], embedding_width=widths[index % 3])  # type: ignore[arg-type]
        for index, name in enumerate(names)
    ]
    table = pa.table(columns)
    return fit_schema(table, features, np.arange(3)), table


def hostile_tasks(names: tuple[str, ...]) -> tuple[Task, ...]:
    return tuple(
        Task(name=name, kind=TaskKind.BINARY, label=HOSTILE[index % len(HOSTILE)], tower=(3,))
        for index, name in enumerate(names)
    )


def test_an_export_with_hostile_names_does_what_the_network_does(tmp_path: Path) -> None:
    tasks = hostile_tasks(TASK_NAMES)
    schema, table = hostile_case(HOSTILE, tasks)
    named = NAMED_ROUTES["mmoe"](towers(tasks), Size(width=4, experts=2))
    case = trained(named.graph, named.route, tasks=tasks, schema=schema, table=table)
    manifest = case.export(tmp_path / "export")
    model, preprocessing = import_export(tmp_path / "export").load()
    found = model.predict(preprocessing(json.loads((tmp_path / "export" / "example_rows.json").read_text())))
    for task, output in case.outputs().items():
        torch.testing.assert_close(found[task], output[:, 0].sigmoid(), rtol=1e-5, atol=1e-5)
    assert [column.name for column in manifest.columns] == list(schema.columns)
    assert "<script>" not in (tmp_path / "export" / "route.svg").read_text()


def test_the_readme_runs_with_hostile_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = hostile_tasks(("class", "foo"))
    schema, table = hostile_case(HOSTILE, tasks)
    named = NAMED_ROUTES["shared_bottom"](towers(tasks), Size(width=4))
    trained(named.graph, named.route, tasks=tasks, schema=schema, table=table).export(tmp_path / "export")
    model = import_export(tmp_path / "export")
    snippet = (tmp_path / "export" / "README.md").read_text(encoding="utf-8").split("```")[1].removeprefix("python\n")
    lines = [line for line in snippet.splitlines() if "import load" not in line]
    scope: dict[str, object] = {"load": model.load}
    exec(compile("\n".join(lines), "README.md", "exec"), scope)  # what a reader would paste
    assert scope["rows"] == {name: values[:2] for name, values in table.to_pydict().items()}


@settings(max_examples=30, deadline=None)
@given(
    columns=st.lists(st.text(max_size=12), min_size=3, max_size=4, unique=True),
    tasks=st.lists(st.sampled_from(TASK_NAMES), min_size=1, max_size=3, unique=True),
)
def test_the_source_holds_no_statement_that_a_name_brought(columns: list[str], tasks: list[str]) -> None:
    """The syntax tree, its names and strings blotted out, is that of the same module with harmless names."""
    hostile_columns = tuple(f"{text}{HOSTILE[index]}" for index, text in enumerate(columns))
    plain_columns = tuple(f"column{index}" for index in range(len(columns)))
    plain_tasks = tuple(f"task{index}" for index in range(len(tasks)))
    hostile = source_of(hostile_columns, tuple(tasks))
    assert all(line.isprintable() for line in hostile.split("\n"))
    assert shape(hostile) == shape(source_of(plain_columns, plain_tasks))


def source_of(columns: tuple[str, ...], names: tuple[str, ...]) -> str:
    tasks = hostile_tasks(names)
    schema, _ = hostile_case(columns, tasks)
    named = NAMED_ROUTES["mmoe"](towers(tasks), Size(width=4, experts=2))
    return model_source(Wiring.of(named.graph, named.route, tasks, schema), digest="0" * 64)


def shape(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "value"):
            if isinstance(getattr(node, field, None), str):
                setattr(node, field, "")
    return ast.dump(tree)


def test_node_names_that_look_alike_or_mean_something_stay_apart(tmp_path: Path) -> None:
    renamed = {"expert.0": "a.b", "expert.1": "a-b", "expert.2": "torch", "expert.3": "1"}
    named = NAMED_ROUTES["mmoe"](towers(), Size(width=4, experts=4))
    text = json.dumps(named.graph.to_json())
    for old, new in renamed.items():
        text = text.replace(old, new)
    graph = RouteGraph.from_json(json.loads(text))
    case = trained(graph, full_route(graph))
    case.export(tmp_path / "export")
    model, preprocessing = import_export(tmp_path / "export").load()
    found = model(**model.tensors(preprocessing(case.table.to_pydict())))
    assert {"a_b", "a_b_2", "torch_2", "node_1"} <= dict(model.named_children()).keys()
    torch.testing.assert_close(found["price"], case.outputs()["price"], rtol=1e-5, atol=1e-5)


@given(st.lists(st.text(max_size=60), max_size=20))
def test_names_are_identifiers_that_differ(wanted: list[str]) -> None:
    names = Names(("mine",))
    given_names = [names.give(text) for text in (*wanted, "mine", "forward", "class")]
    assert len({*given_names, "mine", "forward", "class"}) == len(given_names) + 3
    assert all(name.isidentifier() and name.isascii() and not name.startswith("_") for name in given_names)


@given(st.text())
def test_a_literal_is_one_line_that_reads_back(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert literal(text).isprintable()
