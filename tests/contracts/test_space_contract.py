"""Every space of the catalogue keeps the contract with its default options; a new one is tried by being listed."""

from __future__ import annotations

import pytest

from mtnas.routes import InputShape
from mtnas.tasks import Task, TaskKind
from search_spaces import CATALOGUE, build
from tests.contracts.space_contract import space_contract

TASKS = (
    Task(name="click", kind=TaskKind.BINARY, label="click"),
    Task(name="rating", kind=TaskKind.MULTICLASS, label="rating", num_classes=3, tower=()),
    Task(name="dwell", kind=TaskKind.REGRESSION, label="dwell", tower=(8, 4)),
)
# As wide as the one channel of twelve steps that spaces over sequences read by default.
INPUTS = InputShape(vocabularies=(11, 5), embedding_widths=(4, 2), num_numeric=6)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_space_keeps_the_contract(name: str) -> None:
    space_contract(build(name, TASKS, {}), INPUTS)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_space_serves_a_single_task(name: str) -> None:
    space = build(name, TASKS[:1], {})
    assert space.graph.tasks == ("click",)
