"""A GPU that is not there, in a process of its own: torch asks once which devices there are, and remembers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("gpu_cases.py")


@pytest.mark.timeout(600)
def test_no_step_waits_for_the_device_or_copies_to_it() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", str(CASES)]
    done = subprocess.run(command, cwd=CASES.parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    dots = sum(line.count(".") for line in done.stdout.splitlines() if re.fullmatch(r"[.s]+ *\[ *\d+%\]", line))
    if not dots:
        pytest.skip("no compiler for the device's guard")
    assert dots >= 20, done.stdout[-2000:]
