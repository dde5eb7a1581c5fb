"""The order of execution: a graph's nodes gathered into groups that run as one batched operation each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mtnas.routes import Block, InputShape, Junction, RouteGraph, Slot, Tower
from mtnas.routes.graph import junction_layers
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, STATIC_QUERY
from mtnas.routes.widths import node_widths
from mtnas.supernets.own_rows import RowsOf
from mtnas.supernets.ties import Bank, banks_of

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotGroup:
    """Slots of one layer that may be filled by the same block at the same input width.

    Attributes:
        block: what fills them.
        in_width: width of what they read.
        slots: those that share an instance stand in a row, in the order of what they read.
        reads: per slot what it reads, in the rows that it works on.
        bank: number of the bank that holds their weights.
        instances: per slot the position of its weights in the bank.
    """

    block: Block
    in_width: int
    slots: tuple[Slot, ...]
    reads: tuple[str, ...]
    bank: int
    instances: tuple[int, ...]


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
        banks: the weights of the slots.
        towers: groups with their input width.
        widths: output width of every encoder, slot and junction.
    """

    layers: tuple[Layer, ...]
    banks: tuple[Bank, ...]
    towers: tuple[tuple[int, tuple[Tower, ...]], ...]
    widths: Mapping[str, int]


def plan(graph: RouteGraph, inputs: InputShape, rows: RowsOf) -> Plan:
    """Group a graph's nodes: nodes of one group work on equally many rows.

    Raises:
        SpaceError: sources of one junction, or blocks of one slot, differ in width.
    """
    widths = {name: width for name, width in node_widths(graph, inputs.width).items() if width is not None}
    reader_layer = junction_layers(graph)
    banks = banks_of(graph, widths)
    steps = []
    for number in range(1, graph.num_layers + 2):
        slots = [slot for slot in graph.slots if slot.layer == number]
        junctions = [junction for junction in graph.junctions if reader_layer[junction.name] == number]
        steps.append(Layer(junctions=_waves(junctions, widths, rows), slots=_slot_groups(slots, widths, banks, rows)))
    towers = _grouped(graph.towers, lambda tower: (widths[tower.reads], tower.hidden, tower.outputs, tower.frozen))
    return Plan(
        layers=tuple(steps),
        banks=banks,
        towers=tuple((widths[group[0].reads], group) for group in towers),
        widths=widths,
    )


def _slot_groups(
    slots: Sequence[Slot], widths: Mapping[str, int], banks: Sequence[Bank], rows: RowsOf
) -> tuple[SlotGroup, ...]:
    def reads(slot: Slot) -> str:
        return rows.junction(slot.reads, rows.task_of_node(slot.name))

    place = {
        (bank.block, bank.in_width, name, bank.frozen): (number, position)
        for number, bank in enumerate(banks)
        for position, name in enumerate(bank.instances)
    }
    pairs = [(slot, block) for slot in slots for block in slot.choices]
    groups = _grouped(
        pairs,
        lambda pair: (
            pair[1].text,
            widths[pair[0].reads],
            place[_weights(*pair, widths)][0],
            rows.task_of_node(pair[0].name) is None,
        ),
    )
    found = []
    for group in groups:
        block, in_width = group[0][1], widths[group[0][0].reads]
        read_first = {reads(slot): order for order, (slot, _) in reversed(list(enumerate(group)))}
        at = {slot.name: place[_weights(slot, block, widths)][1] for slot, _ in group}
        ordered = sorted((slot for slot, _ in group), key=lambda slot: (at[slot.name], read_first[reads(slot)]))
        found.append(
            SlotGroup(
                block=block,
                in_width=in_width,
                slots=tuple(ordered),
                reads=tuple(reads(slot) for slot in ordered),
                bank=place[_weights(group[0][0], block, widths)][0],
                instances=tuple(at[slot.name] for slot in ordered),
            )
        )
    return tuple(found)


def _weights(slot: Slot, block: Block, widths: Mapping[str, int]) -> tuple[Block, int, str, bool]:
    return block, widths[slot.reads], slot.weights_of, slot.frozen


def _waves(junctions: Sequence[Junction], widths: Mapping[str, int], rows: RowsOf) -> tuple[tuple[Junction, ...], ...]:
    """Groups of like junctions, those that others query first."""
    names = {junction.name for junction in junctions}
    done: set[str] = set()
    groups: list[tuple[Junction, ...]] = []
    waiting = list(junctions)
    while waiting:
        ready = [j for j in waiting if all(q not in names or q in done for q in _queried(j))]
        for alike in _grouped(ready, lambda j: (_shape(j, widths), rows.task_of_junction(j.name) is None)):
            groups.extend(_by_sources(alike, rows))
        done |= {junction.name for junction in ready}
        waiting = [junction for junction in waiting if junction.name not in done]
    return tuple(groups)


def _shape(junction: Junction, widths: Mapping[str, int]) -> Hashable:
    """What junctions of one group have in common."""
    queries = tuple(_query_shape(query, widths) for query in junction.queries)
    transforms = tuple(edge.transform for edge in junction.edges)
    width = widths[junction.name]
    sizes = len(junction.edges), width, junction.selectors, junction.rank, junction.steps
    return sizes, junction.gates, queries, transforms, junction.frozen


def _query_shape(query: str, widths: Mapping[str, int]) -> Hashable:
    if query.startswith(JUNCTION_QUERY):
        return JUNCTION_QUERY, widths[query.removeprefix(JUNCTION_QUERY)]
    return query


def source_names(junction: Junction, rows: RowsOf) -> tuple[str, ...]:
    """What a junction mixes, in the rows that it works on."""
    return tuple(rows.node(source, rows.task_of_junction(junction.name)) for source in junction.sources)


def _by_sources(junctions: Sequence[Junction], rows: RowsOf) -> Iterable[tuple[Junction, ...]]:
    """Junctions with the same sources in a row; one group for all lists of sources that equally many read."""
    lists = _grouped(junctions, lambda junction: source_names(junction, rows))
    for equally_read in _grouped(lists, len):
        yield tuple(junction for of_list in equally_read for junction in of_list)


def query_widths(graph: RouteGraph, widths: Mapping[str, int], junctions: Sequence[Junction]) -> dict[str, int]:
    """Widths of every query of a group of junctions, and of its sources under ``mean``."""
    of_junction = {f"{JUNCTION_QUERY}{name}": widths[name] for name in graph.junction_of()}
    input_width = widths[graph.encoders[0].name]
    return of_junction | {INPUT_QUERY: input_width, STATIC_QUERY: 0, "mean": widths[junctions[0].name]}


def own_sources(graph: RouteGraph, junction: Junction) -> list[bool]:
    """Per source whether it belongs to the task that alone reads the junction."""
    readers = graph.readers_of()[junction.name]
    owners = {reader.owner if isinstance(reader, Slot) else reader.task for reader in readers}
    reader = owners.pop() if len(owners) == 1 else None
    slots = graph.slot_of()
    return [reader is not None and source in slots and slots[source].owner == reader for source in junction.sources]


def _queried(junction: Junction) -> list[str]:
    return [q.removeprefix(JUNCTION_QUERY) for q in junction.queries if q.startswith(JUNCTION_QUERY)]


def _grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[tuple[Item, ...]]:
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [tuple(group) for group in groups.values()]
