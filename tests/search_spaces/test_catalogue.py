"""The catalogue: spaces by name, and options that are refused with their place before anything is built."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from mtnas.errors import SpaceError
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task, TaskKind
from search_spaces import CATALOGUE, build, describe
from search_spaces.mtnas_layers import mtnas_space

TASKS = (
    Task(name="click", kind=TaskKind.BINARY, label="c"),
    Task(name="stars", kind=TaskKind.MULTICLASS, label="s", num_classes=5, tower=()),
)


def test_space_has_the_towers_of_the_tasks() -> None:
    towers = build("mtnas", TASKS, {}).graph.towers
    assert [(t.task, t.hidden, t.outputs) for t in towers] == [("click", (32,), 1), ("stars", (), 5)]


def test_options_shape_the_space() -> None:
    space = build("mtnas", TASKS, {"layers": 3, "subnets": 5, "width": 7, "queries": ["mean"], "norm": False})
    assert len(space.graph.slots) == 15
    assert space.graph.num_layers == 3
    assert {block.text for slot in space.graph.slots for block in slot.choices} == {"mlp(7)-"}
    assert {query for junction in space.graph.junctions for query in junction.queries} == {"mean"}


@pytest.mark.parametrize(
    ("name", "options", "where", "expected"),
    [
        ("mtsna", {}, "space.name", "one of ["),
        ("mtnas", {"depth": 3}, "space.options", "one of ["),
        ("mtnas", {"layers": 0}, "space.options.layers", "1 to 8"),
        ("mtnas", {"layers": 9}, "space.options.layers", "1 to 8"),
        ("mtnas", {"subnets": 33}, "space.options.subnets", "1 to 32"),
        ("mtnas", {"width": -1}, "space.options.width", "1 to 4096"),
        ("mtnas", {"width": "64"}, "space.options.width", "a value like 64"),
        ("mtnas", {"width": 64.5}, "space.options.width", "a value like 64"),
        ("mtnas", {"width": True}, "space.options.width", "a value like 64"),
        ("mtnas", {"width": None}, "space.options.width", "a value like 64"),
        ("mtnas", {"widths": 8}, "space.options.widths", "a value like ()"),
        ("mtnas", {"widths": [8, 0]}, "space.options.widths", "1 to 4096"),
        ("snr", {"widths": [8, "16"]}, "space.options.widths", "1 to 4096"),
        ("branching", {"widths": [8, 8]}, "space.options.widths", "widths that differ"),
        ("interactions", {"widths": [True]}, "space.options.widths", "1 to 4096"),
        ("interactions", {"identity": 1}, "space.options.identity", "a value like False"),
        ("mtnas", {"norm": 1}, "space.options.norm", "a value like True"),
        ("mtnas", {"queries": "input"}, "space.options.queries", "a value like"),
        ("mtnas", {"queries": []}, "space.options.queries", "some of"),
        ("mtnas", {"queries": ["output"]}, "space.options.queries", "some of"),
        ("mtnas", {"queries": [["input"]]}, "space.options.queries", ""),
        ("mtnas", {"queries": ["input", "input"]}, "", "queries that differ"),
        ("mtnas", {"towers": []}, "space.options", "one of ["),
    ],
)
def test_bad_options_are_refused_with_their_place(
    name: str, options: dict[str, Any], where: str, expected: str
) -> None:
    with pytest.raises(SpaceError) as caught:
        build(name, TASKS, options)
    assert where in caught.value.where
    assert expected in caught.value.expected


@pytest.mark.parametrize("name", sorted(CATALOGUE))
@pytest.mark.parametrize("value", [None, -1, 0, 10**9, 1.5, "many", [], [None], {}, True, [["x"]], ["x", "x"]])
def test_hostile_values_are_refused_or_taken_but_never_crash(name: str, value: Any) -> None:
    """Whatever a request holds ends as a space or as an explained refusal; anything else would be raised here."""
    (options,) = (entry["options"] for entry in describe() if entry["name"] == name)
    for option in options:
        with suppress(SpaceError):
            assert isinstance(build(name, TASKS, {option: value}), SearchSpace)


@pytest.mark.parametrize("name", ["branching", "interactions", "mtnas", "snr"])
def test_widths_are_choices_of_every_slot_that_all_give_the_same_width(name: str) -> None:
    plain = build(name, TASKS, {"width": 7}).graph
    graph = build(name, TASKS, {"width": 7, "widths": [3, 9]}).graph
    for before, slot in zip(plain.slots, graph.slots, strict=True):
        others = [block.text for block in before.choices if block.text != "mlp(7)"]
        assert len(others) == len(before.choices) - 1
        assert [block.text for block in slot.choices] == ["mlp(3,7)", "mlp(9,7)", *others]


def test_modules_of_interactions_are_all_that_the_paper_has_and_the_identity() -> None:
    graph = build("interactions", TASKS, {"width": 8, "rank": 2, "widths": [4], "identity": True}).graph
    first, upper = graph.slots[0], graph.slots[-1]
    assert [b.text for b in first.choices] == ["mlp(4,8)", "mask(2,8)", "fm(8)"]
    assert [b.text for b in upper.choices] == ["mlp(4,8)", "mask(2,8)", "fm(8)", "cross(2)", "identity"]


def test_descriptions_are_plain_data_with_a_sentence_and_working_defaults() -> None:
    described = json.loads(json.dumps(describe()))
    assert [entry["name"] for entry in described] == sorted(CATALOGUE)
    for entry in described:
        assert len(entry["summary"]) > 20
        assert build(entry["name"], TASKS, entry["options"]) == build(entry["name"], TASKS, {})


def test_size_is_that_of_the_layered_space() -> None:
    """METHODS.md section 1 with one-input subsets counted once: (n + (2^n - 1 - n)|Q|)^((L-1)n + T)."""
    for layers, n in ((1, 4), (2, 4), (3, 3)):
        space = mtnas_space(build("mtnas", TASKS, {}).graph.towers, layers=layers, subnets=n)
        assert space.size() == (n + (2**n - 1 - n) * 3) ** ((layers - 1) * n + 2)


def test_tasks_of_one_name_are_refused() -> None:
    with pytest.raises(SpaceError, match="names that differ"):
        build("mtnas", (TASKS[0], TASKS[0]), {})
