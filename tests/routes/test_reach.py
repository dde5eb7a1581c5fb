"""What towers depend on: found by following a route backwards, compared with following it forwards."""

from __future__ import annotations

import numpy as np
import pytest

from mtnas.errors import SpaceError
from mtnas.routes import Mix, Route, RouteGraph, reach, task_path
from tests.routes.random_graphs import random_graph, random_route


@pytest.mark.parametrize("seed", range(60))
def test_reach_is_what_a_walk_along_the_edges_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    for task in graph.tasks:
        path = task_path(graph, route, task)
        expected = _needed(graph, route, f"tower {task}")
        assert {f"slot {name}" for name in path.slots} | {f"junction {name}" for name in path.junctions} | {
            f"encoder {name}" for name in path.encoders
        } == expected


def _needed(graph: RouteGraph, route: Route, start: str) -> set[str]:
    """Transitive closure of a plain table of dependencies."""
    slots = graph.slot_of()
    needs: dict[str, set[str]] = {f"tower {tower.task}": {f"junction {tower.reads}"} for tower in graph.towers}
    for tower in graph.towers:
        needs[f"tower {tower.task}"] |= set() if tower.product_of is None else {f"tower {tower.product_of}"}
    for slot in graph.slots:
        needs[f"slot {slot.name}"] = {f"junction {slot.reads}"}
    for name, mix in route.mixes:
        direct = {f"slot {source}" if source in slots else f"encoder {source}" for source in mix.inputs}
        if mix.query == "input":
            direct.add(f"encoder {graph.encoders[0].name}")
        if mix.query.startswith("junction:"):
            direct.add(f"junction {mix.query.partition(':')[2]}")
        needs[f"junction {name}"] = direct
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = needs.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return {name for name in found if not name.startswith("tower ")}


@pytest.mark.parametrize("seed", range(30))
def test_whole_reach_is_the_union_of_the_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    paths = [task_path(graph, route, task) for task in graph.tasks]
    whole = reach(graph, route)
    assert whole.slots == frozenset().union(*(path.slots for path in paths))
    assert whole.junctions == frozenset().union(*(path.junctions for path in paths))
    assert whole.encoders == frozenset().union(*(path.encoders for path in paths))


def test_path_of_an_unknown_task_is_refused() -> None:
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    with pytest.raises(SpaceError, match=r"expected one of the tasks .*, found ctr"):
        task_path(graph, random_route(rng, graph), "ctr")


def test_source_that_the_graph_does_not_have_is_refused() -> None:
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    tower = graph.towers[0].reads
    route = random_route(rng, graph).replace(mixes={tower: Mix(inputs=("l9.9",))})
    with pytest.raises(SpaceError, match=rf"junction {tower}: expected a source of the graph, found l9\.9"):
        reach(graph, route)
