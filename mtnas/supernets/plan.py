"""The order of execution: a graph's nodes gathered into groups that run as one batched operation each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mtnas.routes import Block, InputShape, Junction, RouteGraph, Slot, Tower
from mtnas.routes.graph import junction_layers
from mtnas.routes.nodes import JUNCTION_QUERY
from mtnas.routes.widths import node_widths

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotGroup:
    """Slots of one layer that may be filled by the same block at the same input width."""

    block: Block
    in_width: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One step: junctions (in waves, for gates that query other junctions), then slots."""

    junctions: tuple[tuple[Junction, ...], ...]
    slots: tuple[SlotGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Layers 1..L, then the towers' junctions, then towers of equal shape.

    Attributes:
        layers: the last one holds the towers' junctions and no slots.
        towers: groups with their input width.
        widths: output width of every encoder, slot and junction.
    """

    layers: tuple[Layer, ...]
    towers: tuple[tuple[int, tuple[Tower, ...]], ...]
    widths: Mapping[str, int]


def plan(graph: RouteGraph, inputs: InputShape) -> Plan:
    """Group a graph's nodes.

    Raises:
        SpaceError: sources of one junction, or blocks of one slot, differ in width.
    """
    widths = {name: width for name, width in node_widths(graph, inputs.width).items() if width is not None}
    reader_layer = junction_layers(graph)
    steps = []
    for number in range(1, graph.num_layers + 2):
        slots = [slot for slot in graph.slots if slot.layer == number]
        junctions = [junction for junction in graph.junctions if reader_layer[junction.name] == number]
        steps.append(Layer(junctions=_waves(junctions), slots=_slot_groups(slots, widths)))
    towers = _grouped(graph.towers, lambda tower: (widths[tower.reads], tower.hidden, tower.outputs))
    return Plan(
        layers=tuple(steps),
        towers=tuple((widths[group[0].reads], group) for group in towers),
        widths=widths,
    )


def _slot_groups(slots: list[Slot], widths: Mapping[str, int]) -> tuple[SlotGroup, ...]:
    pairs = [(slot, block) for slot in slots for block in slot.choices]
    groups = _grouped(pairs, lambda pair: (pair[1].text, widths[pair[0].reads]))
    return tuple(
        SlotGroup(block=group[0][1], in_width=widths[group[0][0].reads], slots=tuple(slot for slot, _ in group))
        for group in groups
    )


def _waves(junctions: list[Junction]) -> tuple[tuple[Junction, ...], ...]:
    """Groups of equal junctions, those that others query first."""
    names = {junction.name for junction in junctions}
    done: set[str] = set()
    groups: list[tuple[Junction, ...]] = []
    waiting = list(junctions)
    while waiting:
        ready = [j for j in waiting if all(q not in names or q in done for q in _queried(j))]
        groups.extend(_grouped(ready, lambda j: (j.sources, j.gates, j.queries)))
        done |= {junction.name for junction in ready}
        waiting = [junction for junction in waiting if junction.name not in done]
    return tuple(groups)


def _queried(junction: Junction) -> list[str]:
    return [q.removeprefix(JUNCTION_QUERY) for q in junction.queries if q.startswith(JUNCTION_QUERY)]


def _grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[tuple[Item, ...]]:
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [tuple(group) for group in groups.values()]
