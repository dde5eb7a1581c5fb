"""Which tasks a node of a graph can serve, along any route."""

from __future__ import annotations

from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import JUNCTION_QUERY


def served_tasks(graph: RouteGraph) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The tasks whose towers can reach each encoder and slot, and each junction, along any route.

    What no tower reaches counts as every task's, and so does all that it reads.
    """
    of_node: dict[str, set[str]] = {}
    of_junction: dict[str, set[str]] = {}
    for tower in graph.towers:
        _descend(graph, tower.reads, tower.task, of_node, of_junction)
    starts = [junction.name for junction in graph.junctions if junction.name not in of_junction]
    starts += [slot.reads for slot in graph.slots if slot.name not in of_node]
    for start in starts:
        for task in graph.tasks:
            _descend(graph, start, task, of_node, of_junction)
    encoders = {encoder.name: set(graph.tasks) for encoder in graph.encoders}  # they see the batch as it comes
    return of_node | encoders, of_junction


def _descend(
    graph: RouteGraph, start: str, task: str, of_node: dict[str, set[str]], of_junction: dict[str, set[str]]
) -> None:
    """Note the task at a junction and everything below."""
    junctions, slots, waiting = graph.junction_of(), graph.slot_of(), [start]
    while waiting:
        name = waiting.pop()
        if task in of_junction.setdefault(name, set()):
            continue
        of_junction[name].add(task)
        queries = [query for query in junctions[name].queries if query.startswith(JUNCTION_QUERY)]
        waiting.extend(query.removeprefix(JUNCTION_QUERY) for query in queries)
        for source in junctions[name].sources:
            of_node.setdefault(source, set()).add(task)
            if source in slots:
                waiting.append(slots[source].reads)
