"""What the outputs mean is said wherever they are: in the module, its README and its manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mtnas.data.schema_columns import LabelColumn
from mtnas.export import Manifest
from mtnas.routes import NAMED_ROUTES
from mtnas.routes.schemes.by_name import Size
from mtnas.tasks import TaskKind
from mtnas.units import Unit
from tests.export.cases import TASKS, import_export, mixed_schema, towers, trained

LABELS = (
    LabelColumn(name="dep_late", kind=TaskKind.BINARY, classes=("no", "yes")),
    LabelColumn(name="kind", kind=TaskKind.MULTICLASS, classes=("blue", 'r"e|d', "1")),
    LabelColumn(name="price", kind=TaskKind.REGRESSION, unit=Unit(mean=5.0, scale=2.0)),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    named = NAMED_ROUTES["shared_bottom"](towers(), Size(layers=1, experts=1, width=5))
    tasks = [label.completing(task) for task, label in zip(TASKS, LABELS, strict=True)]
    trained(named.graph, named.route, tasks=tasks, schema=replace(mixed_schema(), labels=LABELS)).export(tmp_path / "m")
    return tmp_path / "m"


def test_the_module_names_the_classes_in_the_order_of_its_outputs(folder: Path) -> None:
    assert import_export(folder).CLASSES == {"late": ("no", "yes"), "class": ("blue", 'r"e|d', "1")}


def test_the_readme_names_them(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert "probability of `yes` (not `no`), `[B]`" in text
    assert 'probability of each class, `[B, 3]` in the order `blue`, `r"e\\|d`, `1`' in text
    assert "value in the label's unit" in text


def test_the_manifest_names_them_and_the_unit(folder: Path) -> None:
    late, kind, price = Manifest.read(folder).tasks
    assert (late.classes, kind.classes) == (LABELS[0].classes, LABELS[1].classes)
    assert (price.mean, price.scale, price.classes) == (5.0, 2.0, ())
