"""Known schemes of a space: what they are, that the space contains them, and that sampled searches begin with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

import search_spaces
from mtnas.diagnostics import path_overlap
from mtnas.routes import InputShape, canonical_route
from mtnas.search import build
from mtnas.search.known_schemes import MOST_KNOWN, known_schemes, partition_name, partitions
from mtnas.search.movement import is_whole, shares_all
from mtnas.search.specs.settings_space import SettingsSpace
from mtnas.spaces import Constraints, SearchSpace
from mtnas.tasks import Direction, Objective, Task, TaskKind
from search_spaces.catalogue import CATALOGUE

INPUTS = InputShape(vocabularies=(), embedding_widths=(), num_numeric=6)
GAIN = Objective(metric="mean_gain", direction=Direction.MAX)


def space_of(name: str = "mtnas", *, num_tasks: int = 3, **options: object) -> SearchSpace:
    tasks = [Task(name=f"t{n}", kind=TaskKind.REGRESSION, label=f"t{n}") for n in range(num_tasks)]
    return replace(search_spaces.build(name, tasks, options), inputs=INPUTS)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_space_contains_its_known_schemes_each_once(name: str) -> None:
    space = space_of(name)
    known = known_schemes(space)
    assert known
    assert all(space.contains(route) and canonical_route(space.graph, route) == route for route in known.values())
    assert len({route.text for route in known.values()}) == len(known) <= MOST_KNOWN


def test_partitions_are_all_partitions() -> None:
    assert [len(list(partitions(n))) for n in (1, 2, 3, 4, 5)] == [1, 2, 5, 15, 52]
    assert len(set(partitions(5))) == 52
    assert partition_name(["a", "b", "c"], (0, 1, 0)) == "a+c|b"


def test_schemes_share_what_their_names_say() -> None:
    space = space_of("mtnas", subnets=4)
    known = known_schemes(space)
    assert list(known)[:5] == ["full_sharing", "shared_bottom", "single_task", "mmoe", "cgc"]
    assert is_whole(space.graph, known["full_sharing"])
    assert not is_whole(space.graph, known["mmoe"])
    assert all(shares_all(space.graph, known[name]) for name in ("full_sharing", "shared_bottom", "mmoe"))

    def overlap(name: str) -> list[list[float]]:
        return path_overlap(space.graph, known[name], INPUTS)

    assert overlap("single_task") == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert overlap("t0+t2|t1") == [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    assert overlap("cgc")[0][1] == pytest.approx(1 / 3)  # an expert each, one for all


def test_what_limits_forbid_is_not_known() -> None:
    space = space_of("mtnas")
    narrow = replace(space, constraints=Constraints(max_in_degree=1))
    assert {"full_sharing", "mmoe", "cgc"}.isdisjoint(known_schemes(narrow))
    least = space.cost(known_schemes(space)["shared_bottom"]).num_params
    assert list(known_schemes(replace(space, constraints=Constraints(max_params=least)))) == ["shared_bottom"]


def test_more_tasks_than_sub_networks_are_not_alone() -> None:
    assert "single_task" not in known_schemes(space_of("mtnas", num_tasks=3, subnets=2))


def test_given_groups_are_a_scheme_of_any_number_of_tasks() -> None:
    groups = (0, 0, 1, 1, 2, 0)
    known = known_schemes(space_of("mtnas", num_tasks=6), groups)
    assert "task_groups" in known
    assert not any("|" in name for name in known)  # too many to list


@pytest.mark.parametrize("kind", ["evolution", "tpe", "nsga2", "gaussian_process"])
def test_sampled_searches_begin_with_known_schemes_in_half_of_a_generation(kind: str) -> None:
    space = space_of("mtnas")
    known = tuple(known_schemes(space).values())
    made = build(kind, {}, space=space, objectives=(GAIN,), settings=SettingsSpace(), seed=3, known=known)
    asked = [candidate.route for candidate in made.ask([], 8)]
    assert tuple(asked[:4]) == known[:4]
    assert not set(asked[4:]) & set(known[:4])
    assert len(asked) == 8


def test_random_search_is_the_yardstick_and_knows_nothing() -> None:
    space = space_of("mtnas")
    known = tuple(known_schemes(space).values())
    plain, told = (
        build("random", {}, space=space, objectives=(GAIN,), settings=SettingsSpace(), seed=3, known=seeds)
        for seeds in ((), known)
    )
    assert told.ask([], 8) == plain.ask([], 8)
