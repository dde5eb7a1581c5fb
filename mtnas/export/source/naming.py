"""What every node of a route is called in the generated module, and the order in which it is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mtnas.data.schema import DataSchema
from mtnas.export.source.gate_source import UNWEIGHTED
from mtnas.export.source.names import Names
from mtnas.routes import Block, GateKind, Junction, Route, RouteGraph, Slot, reach
from mtnas.routes.costs.route_cost import output_widths
from mtnas.routes.nodes import JUNCTION_QUERY

OWN_WORDS = (
    *("categorical", "numeric", "x", "tensors", "predict", "inputs", "logits", "like", "load", "mix", "average"),
    *("paths", "both", "weigh", "sources", "outputs", "found"),
    *("mean_of_bag", "mean", "Model", "Preprocessing", "Mapping", "Path", "Any", "Tensor", "load_file", "annotations"),
)

ENCODED = "x"

WeightsKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Names of attributes and variables; all differ.

    Attributes:
        encoded: variable that holds each encoder's vectors.
        tables: by encoder the attribute of each categorical column's embedding; empty for a one-hot column.
        numbers: by encoder the attribute that maps numbers; empty without such.
        bags: by encoder the attribute of each multi-valued column's embedding.
        bag_arguments: argument of ``forward`` that holds each multi-valued column.
        blocks: attribute of each block's weights, by ``weights_key``; tied slots have one key.
        slots: variable that holds a slot's output.
        junctions: variable that holds a junction's output.
        gates: attribute of each junction's gate that has one.
        transforms: attribute of the matrix of each junction's connection that has one, by junction and source.
        towers: attribute of each task's tower.
        alignments: attribute of each task's alignment; empty without alignment.
    """

    encoded: Mapping[str, str]
    tables: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, str]
    bags: Mapping[str, tuple[str, ...]]
    bag_arguments: tuple[str, ...]
    blocks: Mapping[WeightsKey, str]
    slots: Mapping[str, str]
    junctions: Mapping[str, str]
    gates: Mapping[str, str]
    transforms: Mapping[tuple[str, str], str]
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
        gated = [name for name in mixed if mixes[name].gate not in UNWEIGHTED]
        carried = [
            (node.name, edge.source)
            for node in nodes
            if isinstance(node, Junction)
            for edge in node.edges
            if edge.transform and edge.source in mixes[node.name].inputs
        ]
        encoders = encoders_of(graph, route)
        encoded = {name: ENCODED if place == 0 else names.give(name) for place, name in enumerate(encoders)}
        return Naming(
            encoded=encoded,
            tables={name: _tables(names, schema, name if place else "") for place, name in enumerate(encoders)},
            numbers={name: _numbers(names, schema, name if place else "") for place, name in enumerate(encoders)},
            bags={
                name: tuple(names.give(column.name, prefix=_embed(name if place else "")) for column in schema.bags)
                for place, name in enumerate(encoders)
            },
            bag_arguments=tuple(names.give(column.name, prefix="bag") for column in schema.bags),
            blocks=keys,
            slots=slots,
            junctions={name: names.give(name) for name in mixed},
            gates={name: names.give(name.removeprefix("to."), prefix="gate") for name in gated},
            transforms={pair: names.give("_".join(pair), prefix="carry") for pair in carried},
            towers={task: names.give(task, prefix="tower") for task in graph.tasks},
            alignments={task: names.give(task, prefix="align") for task in graph.tasks} if aligned else {},
        )


def encoders_of(graph: RouteGraph, route: Route) -> tuple[str, ...]:
    """The encoders that the route reaches, in the graph's order."""
    reached = reach(graph, route).encoders
    return tuple(encoder.name for encoder in graph.encoders if encoder.name in reached)


def _tables(names: Names, schema: DataSchema, encoder: str) -> tuple[str, ...]:
    return (
        *("" if column.one_hot else names.give(column.name, prefix=_embed(encoder)) for column in schema.categorical),
        *(names.give(column.name, prefix=f"{_embed(encoder)}_range") for column in schema.binned),
    )


def _numbers(names: Names, schema: DataSchema, encoder: str) -> str:
    return names.give(f"numbers {encoder}".strip()) if schema.inputs.numbers is not None else ""


def _embed(encoder: str) -> str:
    """How names of an encoder's embeddings begin; the first encoder's say nothing of it."""
    slug = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in encoder)
    return f"embed_{slug}" if encoder else "embed"


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
