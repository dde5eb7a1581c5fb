"""What importing a part loads: nothing heavy at the top, standard library alone for routes, no torch for a request."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "numpy",
    "pyarrow",
    "pydantic",
    "optuna",
    "sqlalchemy",
    "ray",
    "fastapi",
    "uvicorn",
    "sklearn",
    "typer",
    "rich",
    "yaml",
    "safetensors",
}


def loaded_by(statement: str) -> set[str]:
    """Heavy packages that a fresh interpreter holds after a statement."""
    code = (
        f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return HEAVY & set(json.loads(found.stdout))


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import mtnas", set()),
        ("import mtnas.errors, mtnas.tasks", set()),
        ("import mtnas.routes", set()),
        ("import mtnas.spaces", {"numpy"}),
        ("import search_spaces", {"numpy"}),
        ("import mtnas.spec", {"numpy", "pyarrow", "pydantic", "yaml"}),
        ("import mtnas.supernets", {"numpy", "torch"}),
    ],
)
def test_import_loads_no_more_than_it_may(statement: str, allowed: set[str]) -> None:
    assert loaded_by(statement) <= allowed


def test_version_is_known_without_installation_data() -> None:
    code = "import mtnas; print(mtnas.__version__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip().count(".") == 2
