"""What every node of a route is called in the generated module, and the order in which it is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mtnas.data.schema import DataSchema
from mtnas.export.names import Names
from mtnas.routes import Block, GateKind, Junction, Route, RouteGraph, Slot, reach
from mtnas.routes.cost import output_widths
from mtnas.routes.nodes import JUNCTION_QUERY

OWN_WORDS = (
    *("categorical", "numeric", "x", "tensors", "predict", "inputs", "logits", "like", "load", "mix", "average"),
    "paths",
    *("mean_of_bag", "mean", "Model", "Preprocessing", "Mapping", "Path", "Any", "Tensor", "load_file", "annotations"),
)

WeightsKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Names of attributes and variables; all differ.

    Attributes:
        tables: attribute of each categorical column's embedding.
        bags: attribute of each multi-valued column's embedding.
        bag_arguments: argument of ``forward`` that holds each multi-valued column.
        blocks: attribute of each block's weights, by ``weights_key``; tied slots have one key.
        slots: variable that holds a slot's output.
        junctions: variable that holds a junction's output.
        gates: attribute of each softmax junction's gate.
        towers: attribute of each task's tower.
        alignments: attribute of each task's alignment; empty without alignment.
    """

    tables: tuple[str, ...]
    bags: tuple[str, ...]
    bag_arguments: tuple[str, ...]
    blocks: Mapping[WeightsKey, str]
    slots: Mapping[str, str]
    junctions: Mapping[str, str]
    gates: Mapping[str, str]
    towers: Mapping[str, str]
    alignments: Mapping[str, str]

    @staticmethod
    def of(graph: RouteGraph, route: Route, schema: DataSchema, *, aligned: bool = False) -> Naming:
        """Names for the reachable part of a route, the same in every process."""
        names = Names(OWN_WORDS)
        widths, mixes, blocks = output_widths(graph, route, schema.inputs), route.mix_of(), route.block_of()
        nodes = tuple(nodes_in_order(graph, route))
        slots = {node.name: names.give(node.name) for node in nodes if isinstance(node, Slot)}
        keys: dict[WeightsKey, str] = {}
        for node in nodes:
            if isinstance(node, Slot):
                keys.setdefault(weights_key(node, blocks[node.name], widths[node.reads]), slots[node.name])
        mixed = [node.name for node in nodes if isinstance(node, Junction) and mixes[node.name].gate != GateKind.PASS]
        gated = [name for name in mixed if mixes[name].gate is GateKind.SOFTMAX]
        return Naming(
            tables=(
                *(names.give(column.name, prefix="embed") for column in schema.categorical),
                *(names.give(column.name, prefix="embed_range") for column in schema.binned),
            ),
            bags=tuple(names.give(column.name, prefix="embed") for column in schema.bags),
            bag_arguments=tuple(names.give(column.name, prefix="bag") for column in schema.bags),
            blocks=keys,
            slots=slots,
            junctions={name: names.give(name) for name in mixed},
            gates={name: names.give(name.removeprefix("to."), prefix="gate") for name in gated},
            towers={task: names.give(task, prefix="tower") for task in graph.tasks},
            alignments={task: names.give(task, prefix="align") for task in graph.tasks} if aligned else {},
        )


def weights_key(slot: Slot, block: Block, in_width: int) -> WeightsKey:
    """What weights a slot uses: equal keys are tied."""
    return slot.weights_of, block.text, in_width


def nodes_in_order(graph: RouteGraph, route: Route) -> Iterator[Junction | Slot]:
    """The reachable junctions and slots, each after everything it depends on, layer by layer."""
    reached, mixes = reach(graph, route), route.mix_of()
    slots, junctions = graph.slot_of(), graph.junction_of()
    done: set[Junction | Slot] = set()

    def before(name: str) -> Iterator[Junction | Slot]:
        junction, mix = junctions[name], mixes[name]
        if junction in done:
            return
        done.add(junction)
        for source in mix.inputs:
            if source in slots:
                yield from up_to(slots[source])
        if mix.query.startswith(JUNCTION_QUERY):
            yield from before(mix.query.removeprefix(JUNCTION_QUERY))
        yield junction

    def up_to(slot: Slot) -> Iterator[Junction | Slot]:
        if slot in done:
            return
        done.add(slot)
        yield from before(slot.reads)
        yield slot

    for slot in sorted(graph.slots, key=lambda slot: slot.layer):
        if slot.name in reached.slots:
            yield from up_to(slot)
    for tower in graph.towers:
        yield from before(tower.reads)
