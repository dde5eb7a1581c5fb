"""The RouteGraph: every node and edge that a route may use. Validated once; standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mtnas.errors import SpaceError
from mtnas.routes import nodes_json
from mtnas.routes.legality import check_distinct
from mtnas.routes.nodes import (
    INPUT_QUERY,
    JUNCTION_QUERY,
    MEAN_QUERY,
    STATIC_QUERY,
    Encoder,
    Junction,
    Slot,
    Tower,
)
from mtnas.routes.text import canonical_json
from mtnas.routes.widths import node_widths

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGraph:
    """Encoders, slots in layers, junctions with permitted edges, towers.

    Raises:
        SpaceError: a name used twice, an edge to nowhere or backwards, a junction that no one reads or queries,
            a query of something later, tied slots of which some are frozen, widths that differ whatever the inputs are.
    """

    encoders: tuple[Encoder, ...]
    slots: tuple[Slot, ...]
    junctions: tuple[Junction, ...]
    towers: tuple[Tower, ...]

    def __post_init__(self) -> None:
        _check(self)

    @property
    def num_layers(self) -> int:
        """Layers of slots."""
        return max((slot.layer for slot in self.slots), default=0)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in tower order."""
        return tuple(tower.task for tower in self.towers)

    def slot_of(self) -> dict[str, Slot]:
        """Slots by name."""
        return {slot.name: slot for slot in self.slots}

    def junction_of(self) -> dict[str, Junction]:
        """Junctions by name."""
        return {junction.name: junction for junction in self.junctions}

    def readers_of(self) -> dict[str, tuple[Slot | Tower, ...]]:
        """Who reads each junction."""
        readers: dict[str, list[Slot | Tower]] = {junction.name: [] for junction in self.junctions}
        nodes: tuple[Slot | Tower, ...] = (*self.slots, *self.towers)
        for node in nodes:
            readers[node.reads].append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    @property
    def digest(self) -> str:
        """sha256 of the graph's canonical text."""
        return sha256(canonical_json(self.to_json()).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The graph as plain data."""
        return {
            "format": FORMAT,
            "encoders": [nodes_json.write_encoder(encoder) for encoder in self.encoders],
            "slots": [nodes_json.write_slot(slot) for slot in self.slots],
            "junctions": [nodes_json.write_junction(junction) for junction in self.junctions],
            "towers": [nodes_json.write_tower(tower) for tower in self.towers],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> RouteGraph:
        """Read plain data back.

        Raises:
            SpaceError: not a graph, or one of another format version.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            found = repr(data.get("format")) if isinstance(data, Mapping) else type(data).__name__
            raise SpaceError(expected=f"an object of format {FORMAT}", found=found, where="graph")
        try:
            return RouteGraph(
                encoders=tuple(nodes_json.read_encoder(encoder) for encoder in data["encoders"]),
                slots=tuple(nodes_json.read_slot(slot) for slot in data["slots"]),
                junctions=tuple(nodes_json.read_junction(junction) for junction in data["junctions"]),
                towers=tuple(nodes_json.read_tower(tower) for tower in data["towers"]),
            )
        except SpaceError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SpaceError(expected="a route graph", found=repr(error), where="graph") from error


def junction_layers(graph: RouteGraph) -> dict[str, int]:
    """The layer that each junction is computed for: its lowest reader's, or right above its sources.

    Raises:
        SpaceError: a junction that no slot or tower reads and no gate queries.
    """
    layer_of = {slot.name: slot.layer for slot in graph.slots}
    queried = {query for junction in graph.junctions for query in junction.queries}
    readers = graph.readers_of()
    layers = {}
    for junction in graph.junctions:
        if not readers[junction.name] and f"{JUNCTION_QUERY}{junction.name}" not in queried:
            raise SpaceError(
                expected="a slot, a tower or a gate that reads it", found="none", where=f"junction {junction.name}"
            )
        above = 1 + max(layer_of.get(source, 0) for source in junction.sources)
        found = [node.layer if isinstance(node, Slot) else graph.num_layers + 1 for node in readers[junction.name]]
        layers[junction.name] = min(found, default=above)
    return layers


def _check(graph: RouteGraph) -> None:
    if not graph.encoders or not graph.towers:
        raise SpaceError(expected="at least one encoder and one tower", found="none", where="graph")
    sources = [encoder.name for encoder in graph.encoders] + [slot.name for slot in graph.slots]
    check_distinct(sources, "encoders and slots")
    check_distinct([junction.name for junction in graph.junctions], "junctions")
    check_distinct([tower.task for tower in graph.towers], "towers")
    junctions = graph.junction_of()
    for slot in graph.slots:
        _check_reader(junctions, slot.reads, f"slot {slot.name}")
    for tower in graph.towers:
        _check_reader(junctions, tower.reads, f"tower of {tower.task!r}")
    layers = junction_layers(graph)
    layer_of = {encoder.name: 0 for encoder in graph.encoders} | {slot.name: slot.layer for slot in graph.slots}
    for junction in graph.junctions:
        _check_edges(junction, layers[junction.name], layer_of)
        _check_queries(junction, layers, junctions)
    _check_products(graph.towers)
    _check_ties(graph.slots)
    node_widths(graph, None)


def _check_products(towers: tuple[Tower, ...]) -> None:
    """A product multiplies the probability of an earlier task."""
    outputs: dict[str, int] = {}
    for tower in towers:
        if tower.product_of is not None and outputs.get(tower.product_of) != 1:
            raise SpaceError(
                expected="an earlier task with one output",
                found=repr(tower.product_of),
                where=f"tower of {tower.task!r}, product_of",
            )
        outputs[tower.task] = tower.outputs


def _check_ties(slots: tuple[Slot, ...]) -> None:
    """What slots share is held for all of them or for none."""
    frozen: dict[str, bool] = {}
    for slot in slots:
        if frozen.setdefault(slot.weights_of, slot.frozen) != slot.frozen:
            raise SpaceError(
                expected="slots that share their weights all frozen, or none of them",
                found="some of each",
                where=f"slot {slot.name}, weights {slot.weights_of}",
            )


def _check_reader(junctions: Mapping[str, Junction], name: str, where: str) -> None:
    if name not in junctions:
        raise SpaceError(expected=f"one of the junctions {sorted(junctions)}", found=repr(name), where=where)


def _check_edges(junction: Junction, layer: int, layer_of: Mapping[str, int]) -> None:
    where = f"junction {junction.name}"
    for edge in junction.edges:
        if edge.source not in layer_of:
            raise SpaceError(expected="an encoder or a slot as source", found=repr(edge.source), where=where)
        if layer_of[edge.source] >= layer:
            raise SpaceError(
                expected=f"sources below layer {layer}",
                found=f"{edge.source} of layer {layer_of[edge.source]}",
                where=where,
            )


def _check_queries(junction: Junction, layers: Mapping[str, int], junctions: Mapping[str, Junction]) -> None:
    """Queries name vectors that are known before the junction's own output."""
    where = f"junction {junction.name}"
    for query in junction.queries:
        named = query.removeprefix(JUNCTION_QUERY) if query.startswith(JUNCTION_QUERY) else None
        if query not in (INPUT_QUERY, MEAN_QUERY, STATIC_QUERY) and named not in junctions:
            raise SpaceError(expected="input, mean, static or junction:<name>", found=repr(query), where=where)
        if named is not None and layers[named] > layers[junction.name]:
            raise SpaceError(
                expected=f"queries of junctions up to layer {layers[junction.name]}",
                found=f"{named} of layer {layers[named]}",
                where=where,
            )
    asked, waiting = set[str](), [junction.name]
    while waiting:
        queries = junctions[waiting.pop()].queries
        new = {q.removeprefix(JUNCTION_QUERY) for q in queries if q.startswith(JUNCTION_QUERY)} - asked
        asked |= new
        waiting.extend(name for name in new if name in junctions)
    if junction.name in asked:
        raise SpaceError(expected="gates that do not query each other in a circle", found=junction.name, where=where)
