"""The reference is what the code says today, and its contract takes nothing away from those who use it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docs.broken_promises import broken

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = json.loads((DOCS / "reference" / "openapi.json").read_text())


def test_pages_are_up_to_date_and_promises_kept() -> None:
    run = [sys.executable, str(DOCS / "write_reference.py"), "--check"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=DOCS.parent)
    assert (done.returncode, done.stdout.strip()) == (0, ""), f"run python docs/write_reference.py\n{done.stderr}"


def _without_operation(contract: dict[str, Any]) -> None:
    del contract["paths"]["/v1/jobs"]["get"]


def _without_field(contract: dict[str, Any]) -> None:
    del contract["components"]["schemas"]["JobSummary"]["properties"]["phase"]


def _without_value(contract: dict[str, Any]) -> None:
    contract["components"]["schemas"]["TaskKind"]["enum"].remove("binary")


def _needed_field(contract: dict[str, Any]) -> None:
    contract["components"]["schemas"]["TaskSpec"]["required"].append("owner")


def _needed_parameter(contract: dict[str, Any]) -> None:
    contract["paths"]["/v1/jobs"]["get"]["parameters"].append({"name": "who", "in": "query", "required": True})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_without_operation, "GET /v1/jobs: gone"),
        (_without_field, "JobSummary.phase: gone"),
        (_without_value, "TaskKind: no value 'binary'"),
        (_needed_field, "TaskSpec.owner: needed in requests"),
        (_needed_parameter, "GET /v1/jobs: parameter who is needed"),
    ],
)
def test_what_is_taken_away_is_told(change: Callable[[dict[str, Any]], None], told: str) -> None:
    changed = copy.deepcopy(CONTRACT)
    change(changed)
    assert broken(CONTRACT, changed) == [told]


def test_what_is_added_breaks_nobody() -> None:
    changed = copy.deepcopy(CONTRACT)
    changed["paths"]["/v1/new"] = {"get": {"operationId": "new", "responses": {}}}
    changed["components"]["schemas"]["JobSummary"]["properties"]["mood"] = {"type": "string"}
    assert broken(CONTRACT, changed) == []
