"""What a whole graph holds when all of it is computed, in closed form: parameters, and numbers per row of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from mtnas.routes.blocks.block import Block, BlockKind
from mtnas.routes.blocks.convolutions import stages
from mtnas.routes.blocks.sequences import GATES, states
from mtnas.routes.costs.route_cost import gate_cost, tower_cost
from mtnas.routes.costs.serving import served_tasks
from mtnas.routes.graph import RouteGraph
from mtnas.routes.inputs import InputShape
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, MEAN_QUERY, GateKind, Junction
from mtnas.routes.widths import node_widths


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Numbers of one candidate of a graph.

    Attributes:
        num_params: trainable ones, every gate and every block that the graph offers included.
        inputs: per row, of the encoders.
        reads: per row, copies that slots of one layer make of single nodes that they read through different junctions.
        slots: per row, outputs of all layers inside the slots' blocks.
        junctions: per row, of the junctions that mix.
        towers: per row, of the towers' layers.
        widest: per row, outputs of the widest layer of slots.
    """

    num_params: int
    inputs: int
    reads: int
    slots: int
    junctions: int
    towers: int
    widest: int

    @property
    def evaluated(self) -> int:
        """Numbers per row of an evaluation: outputs of nodes are kept until the pass ends."""
        return self.slots + self.junctions + self.widest + self.towers + self.inputs + self.reads


def footprint(graph: RouteGraph, inputs: InputShape, *, own_rows: bool = False) -> Footprint:
    """A graph's footprint for inputs of this shape.

    Args:
        graph: what is computed.
        inputs: shape of the data's features.
        own_rows: whether rows belong to tasks, so that what serves one task alone works on a T-th of them.

    Raises:
        SpaceError: widths that do not fit together.
    """
    widths = {name: width or 0 for name, width in node_widths(graph, inputs.width).items()}
    num_params = inputs.num_params * len(graph.encoders)
    nodes, served = served_tasks(graph) if own_rows else ({}, {})
    share = 1 / len(graph.towers)
    of_slot = {slot.name: share if len(nodes.get(slot.name, ())) == 1 else 1.0 for slot in graph.slots}
    slots, layers = 0.0, dict[int, float]()
    counted: set[tuple[str, str, int]] = set()
    for slot in graph.slots:
        in_width = widths[slot.reads]
        for block in slot.choices:
            slots += hidden_width(block, in_width) * of_slot[slot.name]
            layers[slot.layer] = layers.get(slot.layer, 0) + block.out_width(in_width) * of_slot[slot.name]
            weights = slot.weights_of, block.text, in_width
            if weights not in counted:
                counted.add(weights)
                num_params += block.num_params(in_width)
    num_params += sum(_junction_params(junction, widths, inputs.width) for junction in graph.junctions)
    num_params += sum(tower_cost(tower, widths[tower.reads])[0] for tower in graph.towers)
    return Footprint(
        num_params=num_params,
        inputs=inputs.width * len(graph.encoders),
        reads=round(_copies(graph, widths, of_slot)),
        slots=round(slots),
        junctions=round(
            sum(
                widths[junction.name] * (share if len(served.get(junction.name, ())) == 1 else 1)
                for junction in graph.junctions
                if len(junction.edges) > 1
            )
        ),
        towers=round(sum(sum(tower.hidden) + tower.outputs for tower in graph.towers) * (share if own_rows else 1)),
        widest=round(max(layers.values(), default=0)),
    )


def _copies(graph: RouteGraph, widths: dict[str, int], of_slot: dict[str, float]) -> float:
    junctions, copies = graph.junction_of(), 0.0
    for layer in {slot.layer for slot in graph.slots}:
        slots = [slot for slot in graph.slots if slot.layer == layer and len(junctions[slot.reads].edges) == 1]
        if len({slot.reads for slot in slots}) > 1:
            copies += sum(widths[slot.reads] * of_slot[slot.name] for slot in slots)
    return copies


def hidden_width(block: Block, in_width: int) -> int:
    """Outputs of all layers of a block."""
    match block.kind:
        case BlockKind.MLP:
            return sum(block.widths)
        case BlockKind.CROSS:
            return sum(rank + 2 * in_width for rank in block.widths)
        case BlockKind.MASK:
            return block.widths[0] + 2 * in_width + block.widths[1]
        case BlockKind.GRU | BlockKind.GRU_LAST:
            return GATES * states(block.widths).size
        case _ if block.kind.convolves:
            return sum(stage.result.size for stage in stages(block.kind, block.widths))
        case _:
            return block.out_width(in_width)


def _junction_params(junction: Junction, widths: dict[str, int], input_width: int) -> int:
    """Transformations of the edges, and every gate under every query."""
    fan_in, width = len(junction.edges), widths[junction.name]
    transforms = sum(edge.transform for edge in junction.edges) * width * width
    if fan_in == 1:
        return transforms
    asked = []
    for query in junction.queries:
        if query.startswith(JUNCTION_QUERY):
            asked.append(widths[query.removeprefix(JUNCTION_QUERY)])
        else:
            asked.append({INPUT_QUERY: input_width, MEAN_QUERY: width}.get(query, 0))
    gates = 0
    for gate in junction.gates:
        one_map = gate is GateKind.DSELECT_K  # for the first query, whatever others there are
        for query_width in (asked[:1] if one_map else asked) if gate.takes_query else [0]:
            per_step = {"query_width": query_width // junction.steps, "width": width // junction.steps}
            gates += gate_cost(junction, gate, fan_in=fan_in, **per_step)[0]
    return transforms + gates
