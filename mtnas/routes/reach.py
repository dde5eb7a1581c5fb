"""Which part of a graph a route's towers can reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mtnas.errors import SpaceError
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY
from mtnas.routes.route import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The nodes that some towers depend on: the whole route's, or one task's path."""

    slots: frozenset[str]
    junctions: frozenset[str]
    encoders: frozenset[str]


def reach(graph: RouteGraph, route: Route, tasks: Iterable[str] | None = None) -> Reach:
    """Nodes that the towers of these tasks (all by default) depend on, queries included.

    Raises:
        SpaceError: the route says nothing about a junction or slot that is reached.
    """
    wanted = set(graph.tasks if tasks is None else tasks)
    for tower in reversed(graph.towers):  # a product's factor stands before it
        if tower.task in wanted and tower.product_of is not None:
            wanted.add(tower.product_of)
    mixes, slots, encoders = route.mix_of(), graph.slot_of(), {encoder.name for encoder in graph.encoders}
    filled = route.block_of().keys()
    open_junctions = [tower.reads for tower in graph.towers if tower.task in wanted]
    seen_junctions: set[str] = set()
    seen_slots: set[str] = set()
    seen_encoders: set[str] = set()
    while open_junctions:
        name = open_junctions.pop()
        if name in seen_junctions:
            continue
        seen_junctions.add(name)
        if name not in mixes:
            raise SpaceError(expected=f"a mix for junction {name}, which a tower reaches", found="none", where="route")
        mix = mixes[name]
        if mix.query == INPUT_QUERY:
            seen_encoders.add(graph.encoders[0].name)
        if mix.query.startswith(JUNCTION_QUERY):
            open_junctions.append(mix.query.removeprefix(JUNCTION_QUERY))
        for source in mix.inputs:
            if source in encoders:
                seen_encoders.add(source)
            elif source in slots:
                if source not in filled:
                    raise SpaceError(
                        expected=f"a block for slot {source}, which is reached", found="none", where="route"
                    )
                seen_slots.add(source)
                open_junctions.append(slots[source].reads)
            else:
                raise SpaceError(expected="a source of the graph", found=source, where=f"junction {name}")
    return Reach(slots=frozenset(seen_slots), junctions=frozenset(seen_junctions), encoders=frozenset(seen_encoders))


def task_path(graph: RouteGraph, route: Route, task: str) -> Reach:
    """The part of the route that one task's tower can reach."""
    if task not in graph.tasks:
        raise SpaceError(expected=f"one of the tasks {list(graph.tasks)}", found=task, where="task path")
    return reach(graph, route, (task,))
