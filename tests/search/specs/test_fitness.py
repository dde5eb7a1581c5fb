"""Which searches can make the choices of which spaces."""

from __future__ import annotations

import pytest

import search_spaces
from mtnas.errors import SpaceError
from mtnas.search.specs.fitness import check_fitness
from mtnas.search.specs.gradient_specs import AdashareSearch, BranchingSearch, DselectKSearch, GumbelSearch, SnrSearch
from mtnas.search.specs.search_spec import SampledSearch, Search
from mtnas.search.specs.supernet_specs import SparseSharingSearch
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task, TaskKind

TASKS = tuple(Task(name=name, kind=TaskKind.BINARY, label=name) for name in ("a", "b"))
CONNECTIONS: tuple[Search, ...] = (SnrSearch(), DselectKSearch(), SparseSharingSearch())


def space(name: str) -> SearchSpace:
    return search_spaces.build(name, TASKS, {})


@pytest.mark.parametrize("search", CONNECTIONS, ids=lambda search: search.kind)
def test_searches_for_connections_refuse_slots_with_several_blocks(search: Search) -> None:
    with pytest.raises(SpaceError, match="one block each"):
        check_fitness(search, space("automtl"))
    check_fitness(search, space("joint"))


@pytest.mark.parametrize("search", CONNECTIONS, ids=lambda search: search.kind)
def test_searches_for_connections_need_junctions_with_several_sources(search: Search) -> None:
    with pytest.raises(SpaceError, match="several sources"):
        check_fitness(search, search_spaces.build("branching", TASKS, {"layers": 2, "subnets": 1}))


def test_select_or_skip_needs_something_to_skip() -> None:
    with pytest.raises(SpaceError, match="skip"):
        check_fitness(AdashareSearch(), space("mtnas"))
    check_fitness(AdashareSearch(), space("adashare"))


@pytest.mark.parametrize("name", sorted(search_spaces.CATALOGUE))
def test_other_searches_go_with_every_space(name: str) -> None:
    for search in (GumbelSearch(), BranchingSearch(), SampledSearch(kind="random")):
        check_fitness(search, space(name))
