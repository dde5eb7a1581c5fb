"""Requests of a hostile size are refused soon, briefly, and without holding up others."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from api.requests import planning
from api.requests.request_examples import JOB_SPECS
from mtnas.store import JobKind
from tests.api.service import running, spec, store_of

SOON_S = 30.0  # far more than it takes, far less than it took


def tasks(count: int) -> list[dict[str, Any]]:
    return [{"name": f"t{n}", "kind": "binary", "label": "task_0"} for n in range(count)]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"tasks": [{}] * 300_000}, "tasks"),
        ({"tasks": [{"name": str(n)} for n in range(256)]}, "tasks[0].kind"),
        ({"training": {"lr": {"grid": [0.1] * 200_000}}}, "training.lr"),
        ({f"x{n}": 1 for n in range(50_000)}, "request"),
        ({"space": {"name": "mtnas", "options": {"widths": list(range(1, 4097))}}}, "space.options.widths"),
        (
            {"tasks": tasks(256), "space": {"name": "joint", "options": {"layers": 8, "components": 32}}},
            "space",
        ),
    ],
)
def test_a_hostile_size_is_refused_soon_and_briefly(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    body = json.dumps(spec(**changes), separators=(",", ":"))
    assert len(body) < 2**20
    with running(tmp_path) as client:
        began = time.monotonic()
        answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
        assert time.monotonic() - began < SOON_S
    assert answer.status_code == 422
    assert len(answer.content) < 20_000
    assert answer.json()["where"] == where
    assert len(answer.json().get("errors", [])) <= 20


def test_a_plan_beyond_the_budget_is_an_estimate_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = JOB_SPECS["catalogue"]["value"] | {"constraints": {"max_params": 10**9}}
    with running(tmp_path) as client:
        known = client.post("/v1/jobs?validate_only=true", json=whole).json()
        monkeypatch.setattr(planning, "MAX_EFFORT", 10)
        beyond = client.post("/v1/jobs?validate_only=true", json=whole).json()
    assert known["route_cost"] is not None
    assert beyond["route_cost"] is None
    assert beyond["warnings"] == [*known["warnings"], planning._TOO_LARGE]
    assert {name: beyond[name] for name in ("spec", "space_size", "estimate")} == {
        name: known[name] for name in ("spec", "space_size", "estimate")
    }


def test_a_page_of_jobs_does_not_read_their_specifications(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        for name in ("a", "b"):
            store_of(client).jobs.submit(JobKind.SEARCH, name, {"large": "x" * 100_000})
        page = client.get("/v1/jobs")
    assert [job["name"] for job in page.json()["items"]] == ["b", "a"]
    assert len(page.content) < 5_000
    assert not hasattr(store_of(client).jobs.list()[0], "spec")
