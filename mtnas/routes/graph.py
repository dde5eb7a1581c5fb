"""The RouteGraph: every node and edge that a route may use. Validated once; standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mtnas.errors import SpaceError
from mtnas.routes import nodes_json
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

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGraph:
    """Encoders, slots in layers, junctions with permitted edges, towers.

    Raises:
        SpaceError: a name used twice, an edge to nowhere or backwards, a junction no one reads, widths that differ.
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
            "encoders": [encoder.name for encoder in self.encoders],
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
        if data.get("format") != FORMAT:
            raise SpaceError(expected=f"format {FORMAT}", found=str(data.get("format")), where="graph")
        try:
            return RouteGraph(
                encoders=tuple(Encoder(name=name) for name in data["encoders"]),
                slots=tuple(nodes_json.read_slot(slot) for slot in data["slots"]),
                junctions=tuple(nodes_json.read_junction(junction) for junction in data["junctions"]),
                towers=tuple(nodes_json.read_tower(tower) for tower in data["towers"]),
            )
        except SpaceError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SpaceError(expected="a route graph", found=repr(error), where="graph") from error


def _check(graph: RouteGraph) -> None:
    names = [encoder.name for encoder in graph.encoders] + [slot.name for slot in graph.slots]
    _no_doubles(names, "encoders and slots")
    _no_doubles([junction.name for junction in graph.junctions], "junctions")
    _no_doubles([tower.task for tower in graph.towers], "towers")
    if not graph.encoders or not graph.towers:
        raise SpaceError(expected="at least one encoder and one tower", found="none", where="graph")
    layer_of = {encoder.name: 0 for encoder in graph.encoders} | {slot.name: slot.layer for slot in graph.slots}
    junctions = graph.junction_of()
    reader_layer: dict[str, int] = {}
    for slot in graph.slots:
        if slot.layer < 1 or not slot.choices:
            raise SpaceError(expected="layer >= 1 and at least one block", found=str(slot), where=f"slot {slot.name}")
        _note_reader(reader_layer, junctions, slot.reads, slot.layer, f"slot {slot.name}")
    for tower in graph.towers:
        _note_reader(reader_layer, junctions, tower.reads, graph.num_layers + 1, f"tower of {tower.task!r}")
    for junction in graph.junctions:
        _check_junction(junction, reader_layer, layer_of, junctions)


def _note_reader(
    reader_layer: dict[str, int], junctions: Mapping[str, Junction], name: str, layer: int, where: str
) -> None:
    if name not in junctions:
        raise SpaceError(expected=f"one of the junctions {sorted(junctions)}", found=name, where=where)
    reader_layer[name] = min(layer, reader_layer.get(name, layer))


def _check_junction(
    junction: Junction,
    reader_layer: Mapping[str, int],
    layer_of: Mapping[str, int],
    junctions: Mapping[str, Junction],
) -> None:
    where = f"junction {junction.name}"
    _no_doubles(list(junction.sources), where)
    if not junction.edges or not 1 <= junction.min_inputs <= junction.most_inputs:
        raise SpaceError(
            expected="1 <= min_inputs <= max_inputs <= number of edges",
            found=f"min {junction.min_inputs}, max {junction.max_inputs}, {len(junction.edges)} edges",
            where=where,
        )
    readers = reader_layer.get(junction.name)
    for edge in junction.edges:
        if edge.source not in layer_of:
            raise SpaceError(expected="an encoder or a slot as source", found=edge.source, where=where)
        if readers is not None and layer_of[edge.source] >= readers:
            raise SpaceError(
                expected=f"sources below layer {readers}",
                found=f"{edge.source} of layer {layer_of[edge.source]}",
                where=where,
            )
    for query in junction.queries:
        known = query in (INPUT_QUERY, MEAN_QUERY, STATIC_QUERY)
        if not known and query.removeprefix(JUNCTION_QUERY) not in junctions:
            raise SpaceError(expected="input, mean, static or junction:<name>", found=query, where=where)


def _no_doubles(names: list[str], where: str) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SpaceError(expected="names that differ", found=f"{doubled} more than once", where=where)
