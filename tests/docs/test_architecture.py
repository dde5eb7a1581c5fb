"""The pages that name files are what the tree is today."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
FILES = sorted(set(re.findall(r"`((?:mtnas|api|workers|search_spaces|tests)/[\w/.]+)`", PAGE + CONTRIBUTING)))
PACKAGES = sorted(
    path.parent
    for top in ("mtnas", "api", "workers", "search_spaces")
    for path in (ROOT / top).rglob("__init__.py")
    if "standalone" not in path.parts
)


def test_the_picture_of_the_rooms_is_up_to_date() -> None:
    run = [sys.executable, str(ROOT / "docs" / "draw_rooms.py"), "--check"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), "run python docs/draw_rooms.py"


def test_the_pages_name_files() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("file", FILES)
def test_files_on_the_pages_are_there(file: str) -> None:
    assert (ROOT / file).exists()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_can_be_surveyed(package: Path) -> None:
    modules = [path for path in package.glob("*.py") if not path.name.startswith("__")]
    assert len(modules) <= 18, f"which rooms are in {package.relative_to(ROOT)}?"
