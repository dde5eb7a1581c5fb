"""Which rows a node works on where every row belongs to one task: its own task's, or all of them.

In a batch of task rows, row r belongs to task ``r mod T``. A node that only one tower can reach needs that task's rows
alone, a T-th of the work; a node that several can reach works on all rows. What a tower gives for the rows of other
tasks is never computed, for nobody reads it (decision 9).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mtnas.errors import SpaceError
from mtnas.routes import RouteGraph
from mtnas.routes.costs.serving import served_tasks

_OF_TASK = "@"  # no name of a node holds it


class RowsOf:
    """Whose rows the nodes of a graph work on.

    Args:
        graph: the nodes.
        own: whether rows belong to tasks; else every node works on all rows.

    Raises:
        SpaceError: rows belong to tasks, and a tower multiplies another task's probability.
    """

    def __init__(self, graph: RouteGraph, *, own: bool) -> None:
        products = [tower.task for tower in graph.towers if tower.product_of is not None]
        if own and products:
            raise SpaceError(
                expected="towers that need no other task's output where rows belong to tasks",
                found=f"products in the towers of {products}",
                where="graph",
            )
        self._own = own
        nodes, junctions = served_tasks(graph) if own else ({}, {})
        self._node_task, self._junction_task = _lone(nodes), _lone(junctions)

    def task_of_node(self, name: str) -> str | None:
        """The task whose rows alone an encoder or slot works on, None for all rows."""
        return self._node_task.get(name)

    def task_of_junction(self, name: str) -> str | None:
        """The same of a junction."""
        return self._junction_task.get(name)

    def node(self, name: str, task: str | None) -> str:
        """The name under which a reader that works on ``task``'s rows finds those of an encoder or slot."""
        return self._part(name, task, self.task_of_node(name))

    def junction(self, name: str, task: str | None) -> str:
        """The same of a junction."""
        return self._part(name, task, self.task_of_junction(name))

    def _part(self, name: str, wanted: str | None, found: str | None) -> str:
        return name if not self._own or wanted is None or found == wanted else name_of_part(name, wanted)


def part_of(name: str) -> tuple[str, str] | None:
    """Node and task of a name from ``RowsOf.node`` that stands for a part of the node's rows, else None."""
    node, mark, task = name.partition(_OF_TASK)
    return (node, task) if mark else None


def name_of_part(node: str, task: str) -> str:
    """What ``part_of`` reads."""
    return f"{node}{_OF_TASK}{task}"


def _lone(tasks_of: Mapping[str, Collection[str]]) -> dict[str, str]:
    return {name: next(iter(tasks)) for name, tasks in tasks_of.items() if len(tasks) == 1}
