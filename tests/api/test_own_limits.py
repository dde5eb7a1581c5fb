"""A space of the catalogue may have limits of its own: a job keeps to them and to its own, whichever are stricter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import search_spaces
from mtnas.run.phases.prepare import expanded
from mtnas.spaces import Constraints, SearchSpace
from mtnas.spec import JobSpec
from mtnas.tasks import Task
from tests.api.service import running, spec

OWN = Constraints(max_in_degree=2, max_params=50_000)
LIMITS = st.builds(
    Constraints, **dict.fromkeys(("max_params", "max_macs", "max_in_degree"), st.none() | st.integers(1, 9))
)


def build_limited(name: str, tasks: Sequence[Task], options: Any) -> SearchSpace:
    return replace(BUILD(name, tasks, options), constraints=OWN)


BUILD = search_spaces.build


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, {"max_in_degree": 2, "max_params": 50_000, "max_macs": None, "max_latency_us": None}),
        (
            {"max_in_degree": 1, "max_params": 60_000},
            {"max_in_degree": 1, "max_params": 50_000, "max_macs": None, "max_latency_us": None},
        ),
        ({"max_macs": 70_000}, {"max_in_degree": 2, "max_params": 50_000, "max_macs": 70_000, "max_latency_us": None}),
    ],
)
def test_the_stricter_limits_are_stored_however_the_space_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, int], kept: dict[str, int | None]
) -> None:
    monkeypatch.setattr(search_spaces, "build", build_limited)
    with running(tmp_path) as client:
        stored = client.post("/v1/jobs", json=spec(constraints=asked)).json()["spec"]
    assert stored["constraints"] == kept
    in_process = expanded(JobSpec.model_validate(spec(constraints=asked)), build_limited)
    assert in_process.model_dump(mode="json") == stored


@given(LIMITS, LIMITS)
def test_the_stricter_of_two_limits_is_below_both(one: Constraints, other: Constraints) -> None:
    both = one.and_also(other)
    assert both == other.and_also(one) == both.and_also(one)
    for name, limit in asdict(both).items():
        limits = [found for found in (getattr(one, name), getattr(other, name)) if found is not None]
        assert limit == (min(limits) if limits else None)
