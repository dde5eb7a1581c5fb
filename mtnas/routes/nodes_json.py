"""Nodes of a route graph to plain data and back; fields at their defaults are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtnas.routes.blocks.block import Block
from mtnas.routes.nodes import DEFAULT_RANK, Edge, EdgeState, Encoder, GateKind, Junction, Slot, Tower


def write_encoder(encoder: Encoder) -> str | dict[str, Any]:
    """An encoder as plain data."""
    data: dict[str, Any] = {"name": encoder.name}
    if encoder.frozen:
        data["frozen"] = True
    if encoder.starts_from is not None:
        data["starts_from"] = encoder.starts_from
    return data if len(data) > 1 else encoder.name


def read_encoder(data: str | Mapping[str, Any]) -> Encoder:
    """An encoder read back."""
    if isinstance(data, str):
        return Encoder(name=data)
    return Encoder(name=data["name"], frozen=bool(data.get("frozen", False)), starts_from=data.get("starts_from"))


def write_slot(slot: Slot) -> dict[str, Any]:
    """A slot as plain data."""
    data: dict[str, Any] = {"name": slot.name, "layer": slot.layer, "reads": slot.reads}
    data["choices"] = [block.text for block in slot.choices]
    if slot.instance is not None:
        data["instance"] = slot.instance
    if slot.owner is not None:
        data["owner"] = slot.owner
    if slot.frozen:
        data["frozen"] = True
    if slot.starts_from is not None:
        data["starts_from"] = slot.starts_from
    return data


def read_slot(data: Mapping[str, Any]) -> Slot:
    """A slot read back."""
    return Slot(
        name=data["name"],
        layer=int(data["layer"]),
        reads=data["reads"],
        choices=tuple(Block.parse(text) for text in data["choices"]),
        instance=data.get("instance"),
        owner=data.get("owner"),
        frozen=bool(data.get("frozen", False)),
        starts_from=data.get("starts_from"),
    )


def write_junction(junction: Junction) -> dict[str, Any]:
    """A junction as plain data."""
    data: dict[str, Any] = {"name": junction.name, "edges": [_edge(edge) for edge in junction.edges]}
    data["gates"] = [str(gate) for gate in junction.gates]
    data["queries"] = list(junction.queries)
    if junction.min_inputs != 1:
        data["min_inputs"] = junction.min_inputs
    if junction.max_inputs is not None:
        data["max_inputs"] = junction.max_inputs
    if junction.selectors != 2:
        data["selectors"] = junction.selectors
    if junction.rank != DEFAULT_RANK:
        data["rank"] = junction.rank
    if junction.steps != 1:
        data["steps"] = junction.steps
    if junction.frozen:
        data["frozen"] = True
    return data


def read_junction(data: Mapping[str, Any]) -> Junction:
    """A junction read back."""
    return Junction(
        name=data["name"],
        edges=tuple(_read_edge(edge) for edge in data["edges"]),
        gates=tuple(GateKind(gate) for gate in data["gates"]),
        queries=tuple(data["queries"]),
        min_inputs=int(data.get("min_inputs", 1)),
        max_inputs=data.get("max_inputs"),
        selectors=int(data.get("selectors", 2)),
        rank=int(data.get("rank", DEFAULT_RANK)),
        steps=int(data.get("steps", 1)),
        frozen=bool(data.get("frozen", False)),
    )


def _edge(edge: Edge) -> str | dict[str, Any]:
    if edge.states == (EdgeState.ON,) and not (edge.required or edge.transform):
        return edge.source
    data = {"source": edge.source, "states": [str(s) for s in edge.states], "required": edge.required}
    return data | ({"transform": True} if edge.transform else {})


def _read_edge(data: str | Mapping[str, Any]) -> Edge:
    if isinstance(data, str):
        return Edge(source=data)
    states = tuple(EdgeState(state) for state in data["states"])
    transform = bool(data.get("transform", False))
    return Edge(source=data["source"], states=states, required=bool(data["required"]), transform=transform)


def write_tower(tower: Tower) -> dict[str, Any]:
    """A tower as plain data."""
    data = {"task": tower.task, "reads": tower.reads, "hidden": list(tower.hidden), "outputs": tower.outputs}
    if tower.product_of is not None:
        data["product_of"] = tower.product_of
    return data | ({"frozen": True} if tower.frozen else {})


def read_tower(data: Mapping[str, Any]) -> Tower:
    """A tower read back."""
    return Tower(
        task=data["task"],
        reads=data["reads"],
        hidden=tuple(data["hidden"]),
        outputs=data["outputs"],
        product_of=data.get("product_of"),
        frozen=bool(data.get("frozen", False)),
    )
