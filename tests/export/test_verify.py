"""Verification runs the export's own check in another process, where mtnas does not exist."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import search_spaces
from mtnas.errors import ExportError
from mtnas.export import run_check, verify_export
from mtnas.export.interpreter import run_bare
from mtnas.routes import canonical_route
from tests.export.cases import TASKS, trained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    space = search_spaces.build("mtnas", TASKS, {"layers": 2, "subnets": 3, "width": 6})
    route = canonical_route(space.graph, space.sample(np.random.default_rng(3)))
    trained(space.graph, route).export(tmp_path / "export")
    return tmp_path / "export"


def put_digests_right(folder: Path) -> None:
    """Make the manifest agree with the files, as somebody who means it would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_an_export_passes_its_check_and_shows_predictions(folder: Path) -> None:
    files = {path.name for path in folder.iterdir()}
    result = run_check(folder)
    assert result.passed, result.output
    assert result.output.splitlines()[0].split() == ["row", "late", "class", "price"]
    assert "check passed: 13 files" in result.output
    assert {path.name for path in folder.iterdir()} == files


def test_a_changed_file_fails_before_it_is_run(folder: Path) -> None:
    with (folder / "model.py").open("a") as file:
        file.write("raise SystemExit('this ran')\n")
    with pytest.raises(ExportError) as error:
        verify_export(folder)
    assert error.value.found == "model.py: its sha256 is not the manifest's"


def test_changed_weights_fail_even_with_a_digest_that_agrees(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["tower_late.2.bias"] = weights["tower_late.2.bias"] + np.float32(1e-3)
    save_file(weights, folder / "model.safetensors")
    put_digests_right(folder)
    with pytest.raises(ExportError, match=r"task late: outputs differ by 0\.00"):
        verify_export(folder)


def test_only_named_distributions_can_be_imported_in_the_bare_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTNAS_SECRET", "token")
    script = tmp_path / "script.py"
    script.write_text(
        "import importlib.util, os, sys\n"
        "names = ('mtnas', 'numpy', 'torch', 'pyarrow', 'pytest', 'json')\n"
        "print([name for name in names if importlib.util.find_spec(name)])\n"
        "print(os.getpid(), os.environ.get('MTNAS_SECRET'))\n"
    )
    ended = run_bare(script, distributions=("numpy",), hidden=("mtnas", "pyarrow"), timeout_s=240)
    first, second = ended.stdout.splitlines()
    assert first == "['numpy', 'json']"
    assert second.split()[0] != str(os.getpid())
    assert second.split()[1] == "None"


def test_the_bare_interpreter_refuses_to_run_where_a_hidden_module_exists(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('it ran')\n")
    ended = run_bare(script, distributions=("numpy",), hidden=("mtnas", "numpy"), timeout_s=240)
    assert ended.returncode != 0
    assert "it ran" not in ended.stdout
    assert "['numpy']" in ended.stderr


def test_a_script_without_an_end_is_an_error(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(ExportError, match="within 1 s"):
        run_bare(script, distributions=(), hidden=(), timeout_s=1.0)


def test_a_folder_without_a_check_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"check\.py"):
        verify_export(tmp_path)
