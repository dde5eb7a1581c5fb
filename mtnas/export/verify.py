"""Verifying an export: its own check, run in a separate process that cannot import mtnas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtnas.errors import ExportError
from mtnas.export.interpreter import run_bare

DISTRIBUTIONS = ("torch", "safetensors", "numpy")
HIDDEN = ("mtnas", "search_spaces", "pyarrow", "pydantic")
TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How an export's ``check.py`` ended, and what it printed (predictions for the example rows among it)."""

    passed: bool
    output: str


def run_check(folder: Path, *, timeout_s: float = TIMEOUT_S) -> CheckResult:
    """Run the export's ``check.py`` where only torch, safetensors, numpy and their dependencies can be imported.

    Raises:
        ExportError: no check there, or it did not end in time.
    """
    script = folder / "check.py"
    if not script.is_file():
        raise ExportError(expected="a folder with check.py", found="none", where=f"export {folder.name}")
    ended = run_bare(script, distributions=DISTRIBUTIONS, hidden=HIDDEN, timeout_s=timeout_s)
    return CheckResult(passed=ended.returncode == 0, output=ended.stdout + ended.stderr)


def verify_export(folder: Path) -> None:
    """Make sure that an export does without mtnas what the trained network did.

    Raises:
        ExportError: it does not; ``found`` holds what differs.
    """
    result = run_check(folder)
    if not result.passed:
        lines = [line for line in result.output.strip().splitlines() if line.startswith("FAILED ")]
        found = "; ".join(line.removeprefix("FAILED ") for line in lines) or result.output.strip()[-1000:]
        raise ExportError(expected="a check that passes", found=found, where=f"export {folder.name}")
