"""Every benchmark can at least be loaded: their imports are checked by nothing else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import benchmarks

SCRIPTS = sorted(path.stem for path in Path(benchmarks.__file__).parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_loads(script: str) -> None:
    importlib.import_module(f"benchmarks.{script}")
