"""What tasks' paths through a route have in common. Weights do not matter, only which nodes a tower can reach."""

from __future__ import annotations

from mtnas.routes import InputShape, Route, RouteGraph, task_path
from mtnas.routes.costs.route_cost import output_widths


def path_overlap(graph: RouteGraph, route: Route, inputs: InputShape) -> list[list[float]]:
    """Jaccard index ``[T][T]`` of the parameters that two towers can reach in slots; 1 on the diagonal."""
    sizes = _slot_sizes(graph, route, inputs)
    paths = [task_path(graph, route, task).slots for task in graph.tasks]

    def size(names: frozenset[str]) -> int:
        return sum(sizes[name] for name in names)

    return [[size(one & two) / size(one | two) if size(one | two) else 1.0 for two in paths] for one in paths]


def sharing_by_layer(graph: RouteGraph, route: Route) -> list[dict[str, float]]:
    """Per layer: slots that the route uses, and the share of them that at least two towers can reach."""
    paths = [task_path(graph, route, task).slots for task in graph.tasks]
    layers: list[dict[str, float]] = []
    for layer in range(1, graph.num_layers + 1):
        users = [sum(slot.name in path for path in paths) for slot in graph.slots if slot.layer == layer]
        used = [count for count in users if count]
        shared = sum(count > 1 for count in used)
        layers.append({"layer": layer, "used": len(used), "shared": shared / len(used) if used else 0.0})
    return layers


def _slot_sizes(graph: RouteGraph, route: Route, inputs: InputShape) -> dict[str, int]:
    """Parameters of every slot that some tower reaches."""
    widths, blocks = output_widths(graph, route, inputs), route.block_of()
    return {
        slot.name: blocks[slot.name].num_params(widths[slot.reads])
        for slot in graph.slots
        if slot.name in blocks and slot.reads in widths
    }
