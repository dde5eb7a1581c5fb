"""Components: which elements of a candidate's flat parameters belong to which node of the graph, and who uses them.

Legend: K pack, P elements of one candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtnas.routes import Reach, Route, task_path
from mtnas.supernets import Supernet
from mtnas.training.step.flat import FlatParameters, FlatSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A node's trained numbers; those of several slots where they are tied.

    Attributes:
        kind: ``encoder``, ``slot``, ``junction``, ``task`` (towers, small towers, alignment), or ``other`` for
            parameters that are no node's.
        name: the node, or the task, or the name of what tied slots share.
        ranges: first element and end of every stretch in a candidate's row.
        nodes: the slots that use the numbers; for other kinds the node itself.
    """

    kind: str
    name: str
    ranges: tuple[tuple[int, int], ...]
    nodes: tuple[str, ...]

    def users(self, tasks: Sequence[str], paths: Mapping[str, Reach] | None) -> tuple[str, ...]:
        """The tasks whose towers can reach the node along their paths; ``None`` stands for paths of everything."""
        match self.kind:
            case "task":
                return (self.name,)
            case "slot" if paths is not None:
                return tuple(task for task in tasks if not paths[task].slots.isdisjoint(self.nodes))
            case "encoder" if paths is not None:
                return tuple(task for task in tasks if self.name in paths[task].encoders)
            case "junction" if paths is not None:
                return tuple(task for task in tasks if self.name in paths[task].junctions)
            case _:
                return tuple(tasks)


def components(net: Supernet, flat: FlatParameters) -> tuple[Component, ...]:
    """The components of a pack, in the order in which their first parameters lie in the buffers.

    Args:
        net: the pack.
        flat: holds the parameters of ``net``, or of a module that has it as its attribute ``net``.
    """
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    members = _members(net)
    for slot in flat.slots:
        for kind, name, begin, end in _stretches(slot, members, [encoder.name for encoder in net.graph.encoders]):
            found.setdefault((kind, name), []).append((begin, end))
    slots_of: dict[str, list[str]] = {}
    for node in net.graph.slots:
        slots_of.setdefault(node.weights_of, []).append(node.name)
    return tuple(
        Component(
            kind=kind,
            name=name,
            ranges=tuple(ranges),
            nodes=tuple(slots_of[name]) if kind == "slot" else (name,),
        )
        for (kind, name), ranges in found.items()
    )


def shared_mask(net: Supernet, flat: FlatParameters, routes: Sequence[Route] | None) -> Tensor:
    """Bool ``[K, P]``: the elements that the towers of at least two tasks can reach along a candidate's route.

    Without routes, all but the tasks' own elements. With one task there are none to share, and everything counts as
    shared, so that a method still sees a gradient.
    """
    mask = torch.zeros_like(flat.weights, dtype=torch.bool)
    parts, num_tasks = components(net, flat), len(net.graph.tasks)
    for row, route in zip(mask, routes if routes is not None else [None] * len(mask), strict=True):
        paths = None if route is None else {task: task_path(net.graph, route, task) for task in net.graph.tasks}
        for part in parts:
            if num_tasks == 1 or len(part.users(net.graph.tasks, paths)) > 1:
                for begin, end in part.ranges:
                    row[begin:end] = True
    return mask


Members = dict[tuple[str, str], tuple[str, tuple[str, ...]]]


def _members(net: Supernet) -> Members:
    """Kind and names of what lies along the first axis of a module's parameters; of a bank, what slots call it."""
    found: Members = {}
    bank_keys = {id(bank): key for key, bank in net.banks.items()}
    for group, bank in net.slot_banks():
        _, known = found.get(("banks", bank_keys[id(bank)]), ("slot", ()))
        at = dict(enumerate(known)) | {i: slot.weights_of for i, slot in zip(group.instances, group.slots, strict=True)}
        found["banks", bank_keys[id(bank)]] = ("slot", tuple(at[index] for index in sorted(at)))
    for key, junctions in net.gates.items():
        found["gates", key] = ("junction", tuple(getattr(junctions, "names", ())))
    for index, towers in enumerate(net.tower_groups):
        tasks = tuple(getattr(towers, "tasks", ()))
        found["tower_groups", str(index)] = found["small_towers", str(index)] = ("task", tasks)
    found["alignment", "matrices"] = ("task", net.graph.tasks)
    return found


def _stretches(slot: FlatSlot, members: Members, encoders: Sequence[str]) -> Iterator[tuple[str, str, int, int]]:
    words = slot.name.removeprefix("net.").replace("small_towers.groups.", "small_towers.").split(".")
    begin, end = slot.offset, slot.offset + slot.shape.numel()
    encoder = _encoder(words, encoders)
    if encoder is not None:
        yield "encoder", encoder, begin, end
        return
    kind, names = members.get((words[0], words[1]), ("other", ())) if len(words) > 1 else ("other", ())
    if len(names) == 0 or slot.shape[0] != len(names):
        yield "other", words[0], begin, end
        return
    size = slot.shape.numel() // len(names)
    for index, name in enumerate(names):
        yield kind, name, begin + index * size, begin + (index + 1) * size


def _encoder(words: Sequence[str], encoders: Sequence[str]) -> str | None:
    """Whose table a parameter is, or whose rows; ``words`` of its name."""
    match words[0]:
        case "encoder":
            return encoders[0]
        case "more_encoders":
            return words[1].replace("/", ".")
        case "large_tables":
            return encoders[int(words[1])]
        case _:
            return None
