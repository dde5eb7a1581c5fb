"""Adding tasks to a trained system: everything that is there stays as it is, new tasks bring blocks of their own.

Source: muNet and mu2Net (Gesmundo and Dean, 2022, https://arxiv.org/abs/2205.10937 and
https://arxiv.org/abs/2205.12755): components that other tasks own are used frozen, or cloned and trained; METHODS.md
section 7. They let a task's model be one path; here a new task may mix several components, as everywhere in this
project. The gates of its junctions are new: what is cloned is a sub-network, not how its inputs were mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtnas.errors import SpaceError
from mtnas.routes.blocks.block import Block, BlockKind
from mtnas.routes.building.layered import tower_junction
from mtnas.routes.building.narrow import narrow
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import INPUT_QUERY, Edge, Encoder, GateKind, Junction, Slot, Tower
from mtnas.routes.reach import task_path
from mtnas.routes.route import Route
from mtnas.routes.widths import node_widths


def frozen_route(graph: RouteGraph, route: Route) -> RouteGraph:
    """The graph of one route alone, with every node held as it is; what one task alone uses is that task's."""
    narrowed = narrow(graph, route)
    paths = {task: task_path(graph, route, task).slots for task in graph.tasks}

    def owner(slot: Slot) -> str | None:
        users = [task for task, path in paths.items() if slot.name in path]
        return users[0] if len(users) == 1 else slot.owner

    return RouteGraph(
        encoders=tuple(replace(encoder, frozen=True, starts_from=None) for encoder in narrowed.encoders),
        slots=tuple(replace(slot, owner=owner(slot), frozen=True, starts_from=None) for slot in narrowed.slots),
        junctions=tuple(replace(junction, frozen=True) for junction in narrowed.junctions),
        towers=tuple(replace(tower, frozen=True) for tower in narrowed.towers),
    )


def with_tasks(graph: RouteGraph, route: Route, towers: Sequence[Tower], *, norm: bool = True) -> RouteGraph:
    """A graph in which new tasks may read the frozen route's sub-networks, clones of them, and new ones.

    A new task reads the old embeddings or a trained copy of them. In every layer it may read the old sub-networks
    that are as wide as most there, a clone of each (``Slot.starts_from``), and a new perceptron of that width; clones
    and the perceptron read those of the layer below, mixed by a softmax of the first encoder's vector. New tasks share
    nothing with each other but what is old.

    Args:
        graph: the trained system's.
        route: its route.
        towers: the new tasks'; what they read is set here.
        norm: whether the new perceptrons normalise their units.

    Raises:
        SpaceError: a task that is there already or comes twice, or the old route has no sub-networks of a known width.
    """
    old = frozen_route(graph, route)
    encoders, slots, junctions, added = list(old.encoders), list(old.slots), list(old.junctions), list(old.towers)
    for tower in towers:
        if tower.task in {there.task for there in added}:
            raise SpaceError(expected="a task that is not there yet", found=tower.task, where="new task")
        encoders.append(Encoder(name=f"new.{tower.task}", starts_from=old.encoders[0].name))
        own_slots, own_junctions = _own_part(old, tower.task, norm=norm)
        slots += own_slots
        junctions += own_junctions
        added.append(replace(tower, reads=tower_junction(tower.task), frozen=False))
    return RouteGraph(encoders=tuple(encoders), slots=tuple(slots), junctions=tuple(junctions), towers=tuple(added))


def _own_part(old: RouteGraph, task: str, *, norm: bool) -> tuple[list[Slot], list[Junction]]:
    """One new task's slots and junctions."""
    widths = node_widths(old, None)
    entry = _entry(old, task)
    slots, junctions, below, width_below = list[Slot](), [entry], list[str](), None
    for layer in range(1, old.num_layers + 1):
        known = {slot.name: widths[slot.name] for slot in old.slots if slot.layer == layer}
        width = _commonest(known)
        if width is None:
            continue
        fresh = Block(kind=BlockKind.MLP, widths=(width,), norm=norm)
        reads = entry.name if not below else f"to.own.{task}.{layer}"
        own = [Slot(name=f"own.{task}.{layer}", layer=layer, reads=reads, choices=(fresh,), owner=task)]
        alike = [slot for slot in old.slots if known.get(slot.name) == width]
        clones = [_clone(slot, task, widths[slot.reads], entry.name, width_below) for slot in alike]
        own += [clone for clone in clones if clone is not None]
        junctions += [_choice(slot.reads, below) for slot in own if slot.reads != entry.name]
        slots += own
        below = [slot.name for slot in (*own, *alike)]
        width_below = width
    if not below:
        raise SpaceError(expected="sub-networks of a known width", found="none", where="old route")
    return slots, [*junctions, _choice(tower_junction(task), below)]


def _clone(original: Slot, task: str, reads_width: int | None, entry: str, width_below: int | None) -> Slot | None:
    """A trained copy of a frozen slot, where the new task has something as wide for it to read."""
    if original.choices[0].kind is BlockKind.IDENTITY or (reads_width is not None and reads_width != width_below):
        return None
    name = f"own.{task}.{original.name}"
    return Slot(
        name=name,
        layer=original.layer,
        reads=entry if reads_width is None else f"to.{name}",
        choices=original.choices,
        owner=task,
        starts_from=original.name,
    )


def _commonest(widths: Mapping[str, int | None]) -> int | None:
    known = Counter(width for width in widths.values() if width is not None)
    return known.most_common(1)[0][0] if known else None


def _entry(old: RouteGraph, task: str) -> Junction:
    """One encoder: the task's own, or an old one."""
    names = (f"new.{task}", *(encoder.name for encoder in old.encoders))
    edges = tuple(Edge(source=name) for name in names)
    return Junction(name=f"in.{task}", edges=edges, gates=(GateKind.PASS,), queries=(), max_inputs=1)


def _choice(name: str, below: Sequence[str]) -> Junction:
    edges = tuple(Edge(source=source) for source in below)
    return Junction(name=name, edges=edges, gates=(GateKind.SOFTMAX,), queries=(INPUT_QUERY,))
