"""A route laid out for writing: its nodes in sections, and the expression that stands for every node's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtnas.data.schema import DataSchema
from mtnas.export.source.naming import ENCODED, Naming, nodes_in_order
from mtnas.routes import Block, Junction, Mix, Route, RouteGraph, Slot, task_path
from mtnas.routes.costs.route_cost import output_widths
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, MEAN_QUERY
from mtnas.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Everything the generated source says about a route.

    Attributes:
        graph: the route's graph.
        tasks: in the order of the graph's towers.
        schema: the columns that the encoder reads.
        naming: what everything is called.
        mixes: by junction.
        blocks: by slot.
        widths: output width of every encoder, slot and junction.
        layers: per layer of slots its number and its nodes, each after what it depends on.
        last: the junctions that only towers read.
        users: by slot, the tasks that depend on it.
        outputs: by source (encoder or slot), the expression of its output.
        mixed: by junction, the expression of its output.
        settings: the candidate's settings of gates.
    """

    graph: RouteGraph
    tasks: tuple[Task, ...]
    schema: DataSchema
    naming: Naming
    mixes: Mapping[str, Mix]
    blocks: Mapping[str, Block]
    widths: Mapping[str, int]
    layers: tuple[tuple[int, tuple[Junction | Slot, ...]], ...]
    last: tuple[Junction, ...]
    users: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, str]
    mixed: Mapping[str, str]
    settings: Mapping[str, float]

    @staticmethod
    def of(
        graph: RouteGraph,
        route: Route,
        tasks: Sequence[Task],
        schema: DataSchema,
        *,
        aligned: bool = False,
        settings: Mapping[str, float] | None = None,
    ) -> Wiring:
        """Lay out the reachable part of a route; the same in every process."""
        naming, mixes, blocks = Naming.of(graph, route, schema, aligned=aligned), route.mix_of(), route.block_of()
        nodes = tuple(nodes_in_order(graph, route))
        layers, last = _in_layers(nodes)
        outputs, mixed = dict(naming.encoded), dict[str, str]()
        for node in nodes:
            if isinstance(node, Junction):
                mixed[node.name] = naming.junctions.get(node.name) or passed(node.name, mixes, outputs, naming)[0]
            else:
                outputs[node.name] = naming.slots[node.name] if blocks[node.name].widths else mixed[node.reads]
        paths = {task: task_path(graph, route, task) for task in graph.tasks}
        task_of = {task.name: task for task in tasks}
        return Wiring(
            graph=graph,
            tasks=tuple(task_of[name] for name in graph.tasks),
            schema=schema,
            naming=naming,
            mixes=mixes,
            blocks=blocks,
            widths=output_widths(graph, route, schema.inputs),
            layers=layers,
            last=last,
            users={slot.name: tuple(t for t, path in paths.items() if slot.name in path.slots) for slot in graph.slots},
            outputs=outputs,
            mixed=mixed,
            settings=dict(settings or {}),
        )

    @property
    def encoders(self) -> tuple[str, ...]:
        """The encoders in use."""
        return tuple(self.naming.encoded)

    def query(self, junction: str) -> str:
        """The expression of a gate's query, empty for gates that take none or a static one."""
        query = self.mixes[junction].query
        if query == INPUT_QUERY:
            return ENCODED
        if query == MEAN_QUERY:
            return "mean"
        return self.mixed[query.removeprefix(JUNCTION_QUERY)] if query.startswith(JUNCTION_QUERY) else ""

    def query_width(self, junction: str) -> int:
        """Width of a gate's query, 0 without one."""
        query = self.mixes[junction].query
        if query == INPUT_QUERY:
            return self.schema.inputs.width
        if query == MEAN_QUERY:
            return self.widths[junction]
        return self.widths[query.removeprefix(JUNCTION_QUERY)] if query.startswith(JUNCTION_QUERY) else 0


def passed(junction: str, mixes: Mapping[str, Mix], outputs: Mapping[str, str], naming: Naming) -> list[str]:
    """Expressions of a junction's inputs; a forward-only one hands back no gradient, some have a matrix."""
    mix, found = mixes[junction], []
    for source in mix.inputs:
        text = outputs[source] + (".detach()" if source in mix.forward_only else "")
        matrix = naming.transforms.get((junction, source))
        found.append(text if matrix is None else f"self.{matrix}({text})")
    return found


def _in_layers(
    nodes: Sequence[Junction | Slot],
) -> tuple[tuple[tuple[int, tuple[Junction | Slot, ...]], ...], tuple[Junction, ...]]:
    """A junction belongs to the layer of the next slot; those after the last slot are the towers'."""
    layers: dict[int, list[Junction | Slot]] = {}
    waiting: list[Junction] = []
    for node in nodes:
        if isinstance(node, Junction):
            waiting.append(node)
        else:
            layers.setdefault(node.layer, []).extend((*waiting, node))
            waiting = []
    return tuple((number, tuple(members)) for number, members in layers.items()), tuple(waiting)
