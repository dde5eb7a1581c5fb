"""Programs beside the module: routes of every space and ensembles, equal to the network, for any number of rows.

``MTNAS_EXPORT_ROUTES`` says how many random routes are tried (4 unless told).
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

import search_spaces
from mtnas.errors import ExportError
from mtnas.export import Manifest, add_formats, formats, load_module, run_check, verify_export
from tests.export.cases import TASKS, Trained, trained
from tests.export.test_ensemble import exported
from tests.export.test_every_scheme import VECTORS
from tests.search_spaces.every_space import SMALL

NUM_ROUTES = int(os.environ.get("MTNAS_EXPORT_ROUTES", "4"))


def assert_programs_equal(folder: Path, expected: dict[str, Tensor]) -> None:
    """Both programs give the network's outputs, for all rows at once, for some, and for one with the shortest bags."""
    module = load_module(folder)
    rows = json.loads((folder / "example_rows.json").read_text())
    inputs: dict[str, Tensor] = module.network.tensors(module.preprocessing(rows))  # type: ignore[operator]
    program = torch.export.load(folder / "model.pt2").module()
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    wanted = {argument.name for argument in session.get_inputs()}
    for num_rows in (len(next(iter(expected.values()))), 3, 1):
        some = {name: x[:num_rows] for name, x in inputs.items()}
        with torch.no_grad():
            of_program = program(some)
        fed = {name: x.numpy() for name, x in some.items() if name in wanted}
        of_onnx = dict(zip([o.name for o in session.get_outputs()], session.run(None, fed), strict=True))
        assert set(of_program) == set(of_onnx) == set(expected)
        for task, output in expected.items():
            torch.testing.assert_close(of_program[task], output[:num_rows], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(torch.from_numpy(of_onnx[task]), output[:num_rows], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("number", range(NUM_ROUTES))
def test_programs_of_any_route_are_the_network(number: int, tmp_path: Path) -> None:
    name = VECTORS[number % len(VECTORS)]
    scheme, options, _ = SMALL[name]
    space = search_spaces.build(scheme, TASKS, options)
    found = trained(space.graph, space.sample(np.random.default_rng(number)), seed=number)
    found.export(tmp_path / "export")
    add_formats(tmp_path / "export", ("module", "pt2", "onnx"))
    assert_programs_equal(tmp_path / "export", found.outputs())


def test_programs_of_an_ensemble_are_the_ensemble(tmp_path: Path) -> None:
    _, expected = exported(tmp_path / "ensemble")
    add_formats(tmp_path / "ensemble", ("pt2", "onnx"))
    assert_programs_equal(tmp_path / "ensemble", expected)
    verify_export(tmp_path / "ensemble")


def some_route() -> Trained:
    space = search_spaces.build("mtnas", TASKS, {"layers": 1, "subnets": 2, "width": 4})
    return trained(space.graph, space.sample(np.random.default_rng(0)))


def test_the_check_reads_the_program_too_and_finds_another_network_in_it(tmp_path: Path) -> None:
    some_route().export(tmp_path / "export")
    manifest = add_formats(tmp_path / "export", ("pt2",))
    assert Manifest.read(tmp_path / "export") == manifest
    assert {"model.pt2"} == {name for name in manifest.files if name.startswith("model.p") and name != "model.py"}
    verify_export(tmp_path / "export")
    program = formats.program_of(tmp_path / "export")
    with torch.no_grad():
        next(iter(program.state_dict.values())).add_(1.0)
    torch.export.save(program, tmp_path / "export" / "model.pt2")
    assert "model.pt2: its sha256 is not" in run_check(tmp_path / "export").output
    digest = sha256((tmp_path / "export" / "model.pt2").read_bytes()).hexdigest()
    path = tmp_path / "export" / "manifest.json"
    path.write_text(path.read_text().replace(manifest.files["model.pt2"], digest))
    found = run_check(tmp_path / "export")
    assert not found.passed
    assert "FAILED model.pt2: task" in found.output


def test_without_the_extra_onnx_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_route().export(tmp_path / "export")
    before = {path.name for path in (tmp_path / "export").iterdir()}
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    with pytest.raises(ExportError, match=r"mtnas\[onnx\]"):
        add_formats(tmp_path / "export", ("pt2", "onnx"))
    assert {path.name for path in (tmp_path / "export").iterdir()} - {"__pycache__"} == before
