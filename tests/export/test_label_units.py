"""``predict`` speaks the label's unit, whatever the network was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtnas.routes import NAMED_ROUTES
from mtnas.routes.schemes.by_name import Size
from mtnas.units import Transform, Unit
from tests.export.cases import TASKS, import_export, mixed_table, towers, trained


@pytest.mark.parametrize("transform", Transform)
def test_a_regression_is_predicted_in_the_labels_unit(tmp_path: Path, transform: Transform) -> None:
    unit = Unit(transform=transform, mean=7.5, scale=2.25)
    tasks = [replace(task, unit=unit) if task.name == "price" else task for task in TASKS]
    named = NAMED_ROUTES["shared_bottom"](towers(), Size(layers=1, experts=1, width=5))
    case = trained(named.graph, named.route, tasks=tasks)
    case.export(tmp_path / "module")
    model, preprocessing = import_export(tmp_path / "module").load()
    found = model.predict(preprocessing(mixed_table().to_pydict()))
    targets = case.outputs()["price"].squeeze(1).double().numpy()
    torch.testing.assert_close(found["price"], torch.tensor(unit.labels(targets)), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["late"], torch.sigmoid(case.outputs()["late"]).squeeze(1), rtol=1e-5, atol=1e-6)


def test_moments_are_predicted_to_the_second(tmp_path: Path) -> None:
    tasks = [replace(task, unit=Unit(mean=1.7e9, scale=30.0)) if task.name == "price" else task for task in TASKS]
    named = NAMED_ROUTES["shared_bottom"](towers(), Size(layers=1, experts=1, width=5))
    case = trained(named.graph, named.route, tasks=tasks)
    case.export(tmp_path / "module")
    model, preprocessing = import_export(tmp_path / "module").load()
    found = model.predict(preprocessing(mixed_table().to_pydict()))["price"]
    expected = case.outputs()["price"].squeeze(1).double() * 30.0 + 1.7e9
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)
