"""What tasks' paths have in common."""

from __future__ import annotations

import pytest

from mtnas.diagnostics import path_overlap, sharing_by_layer
from mtnas.routes import Tower
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from tests.training.together import INPUTS

TOWERS = [Tower(task=name, reads="", hidden=(4,)) for name in ("a", "b", "c")]


@pytest.mark.parametrize("name", ["shared_bottom", "mmoe", "full_sharing"])
def test_tasks_that_share_everything_overlap_fully(name: str) -> None:
    named = NAMED_ROUTES[name](TOWERS, Size(width=6))
    assert path_overlap(named.graph, named.route, INPUTS) == [[1.0] * 3] * 3
    assert all(layer["shared"] == 1.0 for layer in sharing_by_layer(named.graph, named.route))


def test_tasks_alone_share_nothing() -> None:
    named = NAMED_ROUTES["single_task"](TOWERS, Size(width=6))
    expected = [[float(i == j) for j in range(3)] for i in range(3)]
    assert path_overlap(named.graph, named.route, INPUTS) == expected
    assert sharing_by_layer(named.graph, named.route) == [{"layer": 1, "used": 3, "shared": 0.0}]


def test_overlap_is_measured_in_parameters() -> None:
    named = NAMED_ROUTES["ple"](TOWERS, Size(layers=1, experts=4, width=6))
    overlap = path_overlap(named.graph, named.route, INPUTS)
    own = sum(slot.owner == "a" for slot in named.graph.slots)
    shared = sum(slot.owner is None for slot in named.graph.slots)
    assert overlap[0][1] == pytest.approx(shared / (shared + 2 * own))
