"""What lies beside the module: a server, a model card, the job; and two modules in one process."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from mtnas.export import load_module
from mtnas.export.model_card import model_card
from mtnas.routes import NAMED_ROUTES
from mtnas.routes.schemes.by_name import Size
from tests.export.cases import Trained, mixed_schema, towers, trained


def case(scheme: str, *, seed: int = 0) -> Trained:
    named = NAMED_ROUTES[scheme](towers(), Size(width=5, experts=2))
    return trained(named.graph, named.route, seed=seed)


def test_the_server_answers_what_the_module_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case("mmoe").export(tmp_path / "export")
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("model", "preprocessing", "value_text"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = spec_from_file_location("served_export", tmp_path / "export" / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    server = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "served_export", server)
    spec.loader.exec_module(server)
    client = TestClient(server.app)
    columns = json.loads((tmp_path / "export" / "example_rows.json").read_text())
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    found = client.post("/predict", json={"rows": rows}).json()["predictions"]
    for task, values in load_module(tmp_path / "export").predict(columns).items():
        torch.testing.assert_close(torch.tensor(found[task]), values)
    assert client.post("/predict", json={"rows": [{"carrier": "UA"}]}).status_code == 200
    wrong = client.post("/predict", json={"rows": [{"delay": "soon"}]})
    assert wrong.status_code == 422
    assert "delay" in wrong.json()["detail"]
    assert client.post("/predict", json={"rows": []}).status_code == 422
    assert [task["name"] for task in client.get("/").json()["tasks"]] == ["late", "class", "price"]
    for name in ("model", "preprocessing", "value_text"):
        sys.modules.pop(name, None)


def test_two_modules_live_in_one_process(tmp_path: Path) -> None:
    cases = {"mmoe": case("mmoe"), "cross_stitch": case("cross_stitch", seed=1)}
    for name, trained_case in cases.items():
        trained_case.export(tmp_path / name)
    loaded = {name: load_module(tmp_path / name) for name in cases}
    rows = json.loads((tmp_path / "mmoe" / "example_rows.json").read_text())
    for name, module in loaded.items():
        found = module.network(**module.network.tensors(module.preprocessing(rows)))  # type: ignore[operator]
        for task, output in cases[name].outputs().items():
            torch.testing.assert_close(found[task], output, rtol=1e-5, atol=1e-5)


def test_the_card_tells_figures_columns_and_a_licence_only_if_it_is_known(tmp_path: Path) -> None:
    manifest = case("mmoe").export(tmp_path / "export")
    card = (tmp_path / "export" / "MODEL_CARD.md").read_text()
    assert "| `late.auc` | 0.9 |" in card
    assert "not known to mtnas" in card
    assert all(f"| `{column.name}` |" in card for column in manifest.columns)
    assert "Licence of the data: CC0-1.0." in model_card(manifest, mixed_schema(), licence="CC0-1.0")
