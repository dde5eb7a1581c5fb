"""The pages of the schemes are what the code says today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mtnas.routes import NAMED_ROUTES
from search_spaces import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_up_to_date() -> None:
    run = [sys.executable, str(DOCS / "draw_schemes.py"), "--check"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=DOCS.parent)
    assert (done.returncode, done.stdout.strip()) == (0, ""), "run python docs/draw_schemes.py"


def test_every_scheme_has_a_page_with_its_picture() -> None:
    wanted = [f"route-{name}" for name in NAMED_ROUTES] + [f"space-{name}" for name in CATALOGUE] + ["added-task"]
    for stem in wanted:
        assert f"]({stem}.svg)" in (DOCS / "schemes" / f"{stem}.md").read_text()
        assert (DOCS / "schemes" / f"{stem}.svg").read_text().startswith("<svg")
