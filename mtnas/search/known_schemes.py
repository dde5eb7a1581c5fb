"""Hand-made schemes as routes of a space, where the space contains them: what a search must not end below.

Slots of a layer are columns: the first, second, ... set of weights. A task that goes up one column is alone there or
with others, so that a partition of the tasks is a route, with single-task and shared-bottom as its extremes; towers
that mix several columns are experts with gates. Whatever a space does not permit is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mtnas.routes import Block, BlockKind, EdgeState, GateKind, Junction, Mix, Route, RouteGraph, Slot, canonical_route
from mtnas.routes.nodes import INPUT_QUERY
from mtnas.spaces import SearchSpace

MOST_TASKS = 4
"""Tasks of which all partitions are listed: 15 for four, 52 for five."""

MOST_KNOWN = 20
"""Schemes of a space at most: fifteen partitions, and the five that mix."""

Columns = Callable[[str, int], Sequence[int]]
"""The columns that a task's tower mixes, given how many there are."""


def known_schemes(space: SearchSpace, groups: Sequence[int] | None = None) -> dict[str, Route]:
    """The schemes that the space contains, by name, each architecture once under its first name, canonical.

    In this order: ``full_sharing`` (everything mixes everything), ``shared_bottom``, ``single_task``, ``mmoe``,
    ``cgc``, ``task_groups`` where groups are given, then the other partitions of few tasks, named like ``a+b|c``.

    Args:
        space: where they should be.
        groups: each task's group, by number, such as an affinity suggests.
    """
    found: dict[str, Route] = {}
    seen: set[str] = set()
    for name, route in _schemes(space.graph, groups):
        if route is None or not space.contains(route):
            continue
        canonical = canonical_route(space.graph, route)
        if canonical.text not in seen:
            seen.add(canonical.text)
            found[name] = canonical
    return found


def partitions(num_tasks: int) -> Iterator[tuple[int, ...]]:
    """Every partition of the tasks, as each task's group; groups are numbered in the order of their first tasks."""

    def grown(begun: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(begun) == num_tasks:
            yield begun
            return
        for group in range(max(begun, default=-1) + 2):
            yield from grown((*begun, group))

    yield from grown(())


def partition_name(tasks: Sequence[str], groups: Sequence[int]) -> str:
    """A partition for people: ``a+b|c``."""
    members = ["+".join(t for t, g in zip(tasks, groups, strict=True) if g == group) for group in sorted(set(groups))]
    return "|".join(members)


def _schemes(graph: RouteGraph, groups: Sequence[int] | None) -> Iterator[tuple[str, Route | None]]:
    tasks, columns = graph.tasks, _column_of(graph)
    num_columns = 1 + min(
        (max(columns[s.name] for s in graph.slots if s.layer == layer) for layer in {s.layer for s in graph.slots}),
        default=0,
    )
    place = {task: index for index, task in enumerate(tasks)}
    yield "full_sharing", _route(graph, columns, lambda _, count: range(count), lambda column: None)

    def split(group_of: Sequence[int]) -> Route | None:
        if max(group_of) >= num_columns:
            return None
        return _route(graph, columns, lambda task, _: (group_of[place[task]],), lambda column: column)

    yield "shared_bottom", split([0] * len(tasks))
    yield "single_task", split(range(len(tasks)))
    yield "mmoe", _route(graph, columns, lambda _, count: range(count), lambda column: column)
    if len(tasks) < num_columns:
        shared = range(len(tasks), num_columns)
        yield "cgc", _route(graph, columns, lambda task, _: (place[task], *shared), lambda column: column)
    if groups is not None:
        yield "task_groups", split(groups)
    if len(tasks) <= MOST_TASKS:
        for group_of in partitions(len(tasks)):
            yield partition_name(tasks, group_of), split(group_of)


def _column_of(graph: RouteGraph) -> dict[str, int]:
    """The column of every slot: the place of its weights among those of its layer."""
    found: dict[str, int] = {}
    for layer in {slot.layer for slot in graph.slots}:
        weights = list(dict.fromkeys(slot.weights_of for slot in graph.slots if slot.layer == layer))
        found |= {slot.name: weights.index(slot.weights_of) for slot in graph.slots if slot.layer == layer}
    return found


def _route(
    graph: RouteGraph, columns: Mapping[str, int], at_tower: Columns, below: Callable[[int], int | None]
) -> Route | None:
    """The route on which towers mix some columns, and a slot reads its own column below, or all (None).

    None where a junction cannot read what it should.
    """
    junctions, slots = graph.junction_of(), graph.slot_of()
    mixes: dict[str, Mix] = {}

    def visit(name: str, wanted: Sequence[int] | None) -> bool:
        junction = junctions[name]
        at = {source: columns[source] for source in junction.sources if source in columns}
        count = 1 + max(at.values(), default=0)
        chosen = set(range(count) if wanted is None else wanted)
        # Encoders, and a single slot below (a stem), are read whatever the columns are.
        narrow = len(set(at.values())) <= 1
        states = {
            edge.source: edge.states[0]
            for edge in junction.edges
            if edge.required or edge.source not in at or narrow or at[edge.source] in chosen
        }
        if not states or (len(states) > 1 and all(gate is GateKind.PASS for gate in junction.gates)):
            return False
        mix = _mix(junction, states)
        if mixes.setdefault(name, mix) != mix:
            return False
        return all(
            visit(slots[source].reads, None if (own := below(at[source])) is None else (own,))
            for source in states
            if source in slots
        )

    for tower in graph.towers:
        wide = {columns[s] for s in junctions[tower.reads].sources if s in columns}
        if not visit(tower.reads, at_tower(tower.task, 1 + max(wide, default=0))):
            return None
    return Route.of(mixes, {slot.name: _block(slot) for slot in graph.slots})


def _mix(junction: Junction, states: Mapping[str, EdgeState]) -> Mix:
    gate = next((kind for kind in junction.gates if kind is not GateKind.PASS), None)
    query = INPUT_QUERY if INPUT_QUERY in junction.queries else None
    return Mix.of(junction, states, gate=gate, query=query)


def _block(slot: Slot) -> Block:
    """The first block that computes something."""
    return next((block for block in slot.choices if block.kind is not BlockKind.IDENTITY), slot.choices[0])
