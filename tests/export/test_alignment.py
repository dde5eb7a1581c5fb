"""Alignment matrices stay in an export as one small layer per task; small towers do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mtnas.routes import NAMED_ROUTES, cost
from mtnas.routes.schemes.by_name import Size
from mtnas.supernets import Supernet
from tests.export.cases import Trained, import_export, towers, trained


def aligned(name: str) -> Trained:
    """A named route whose every weight is random, the alignment included."""
    named = NAMED_ROUTES[name](towers(), Size(layers=2, experts=3, width=5))
    plain = trained(named.graph, named.route, dtype=torch.float64)
    net = Supernet(named.graph, plain.schema.inputs, [0], dtype=torch.float64, aligned=True)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return Trained(
        graph=plain.graph,
        route=plain.route,
        schema=plain.schema,
        table=plain.table,
        tasks=plain.tasks,
        supernet=net,
    )


@pytest.mark.parametrize("name", ["shared_bottom", "mmoe", "full_sharing"])
def test_an_aligned_net_is_exported_as_it_is(name: str, tmp_path: Path) -> None:
    case, place = aligned(name), tmp_path / "export"
    manifest = case.export(place)
    model, preprocessing = import_export(place).load()
    rows = json.loads((place / "example_rows.json").read_text())
    with torch.no_grad():
        found = model(**model.tensors(preprocessing(rows)))
    for task, output in case.outputs().items():
        torch.testing.assert_close(found[task], output, rtol=1e-12, atol=1e-12)
    plain, width = cost(case.graph, case.route, case.schema.inputs), case.schema.inputs.width
    assert manifest.num_params == plain.num_params + 3 * width**2
    assert manifest.num_params == sum(parameter.numel() for parameter in model.parameters())
    assert manifest.macs == 3 * (plain.macs + width**2)


def test_a_plain_export_has_no_alignment(tmp_path: Path) -> None:
    named = NAMED_ROUTES["shared_bottom"](towers(), Size(layers=1, width=5))
    trained(named.graph, named.route).export(tmp_path / "export")
    source = (tmp_path / "export" / "model.py").read_text()
    assert "align" not in source
    assert "paths" not in source
