"""Copying weights between supernets node by node: what stays of a graph in a smaller or a larger one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mtnas.errors import SpaceError
from mtnas.routes import Encoder, RouteGraph, Slot
from mtnas.supernets.banks.towers import TowerGroup
from mtnas.supernets.gates import Gate
from mtnas.supernets.junctions import JunctionGroup
from mtnas.supernets.supernet import Supernet

Origin = Callable[[Encoder | Slot], str]


@torch.no_grad()
def copy_nodes(target: Supernet, source: Supernet, *, candidate: int) -> None:
    """Give every candidate of ``target`` one candidate's weights, in all nodes that both have by name."""
    _copy(target, source, candidate, lambda node: node.name)


@torch.no_grad()
def start_from(target: Supernet, trained: Supernet) -> None:
    """Give every candidate of ``target`` the weights of a trained network (K = 1).

    Nodes that both have by name take them over, and clones begin as what they start from (``starts_from``).

    Raises:
        SpaceError: the trained network lacks a node that is frozen, or that a clone starts from.
    """
    graph = target.graph
    held = [encoder.name for encoder in graph.encoders if encoder.frozen]
    held += [slot.name for slot in graph.slots if slot.frozen]
    held += [junction.name for junction in graph.junctions if junction.frozen]
    held += [f"tower {tower.task}" for tower in graph.towers if tower.frozen]
    origins = (*(e.starts_from for e in graph.encoders), *(s.starts_from for s in graph.slots))
    clones = [name for name in origins if name is not None]
    missing = sorted({*held, *clones} - node_names(trained.graph))
    if missing:
        raise SpaceError(
            expected="a trained network with every node to start from", found=f"none of {missing}", where="trained"
        )
    _copy(target, trained, 0, lambda node: node.starts_from or node.name)


def node_names(graph: RouteGraph) -> set[str]:
    """Names of all nodes; towers by their tasks."""
    encoders, towers = {encoder.name for encoder in graph.encoders}, {f"tower {task}" for task in graph.tasks}
    return encoders | towers | graph.slot_of().keys() | graph.junction_of().keys()


def _copy(target: Supernet, source: Supernet, candidate: int, origin: Origin) -> None:
    _copy_encoders(target, source, candidate, origin)
    _copy_banks(target, source, candidate, origin)
    _copy_gates(target, source, candidate)
    _copy_towers(target, source, candidate)


def copy_module(target: nn.Module, source: nn.Module, *, candidate: int) -> None:
    """One candidate's weights of a whole module, which has no nodes."""
    with torch.no_grad():
        for mine, theirs in zip(target.parameters(), source.parameters(), strict=True):
            mine.copy_(theirs[candidate : candidate + 1])


def _copy_encoders(target: Supernet, source: Supernet, candidate: int, origin: Origin) -> None:
    sources = dict(zip([e.name for e in source.graph.encoders], source.encoders, strict=True))
    for node, encoder in zip(target.graph.encoders, target.encoders, strict=True):
        if origin(node) in sources:
            copy_module(encoder, sources[origin(node)], candidate=candidate)


def _copy_banks(target: Supernet, source: Supernet, candidate: int, origin: Origin) -> None:
    sources = {
        (slot.name, group.block.text): (bank, at)
        for group, bank in source.slot_banks()
        for slot, at in zip(group.slots, group.instances, strict=True)
    }
    for group, bank in target.slot_banks():
        for slot, index in zip(group.slots, group.instances, strict=True):
            if (origin(slot), group.block.text) in sources:
                theirs_bank, at = sources[origin(slot), group.block.text]
                for mine, theirs in zip(bank.parameters(), theirs_bank.parameters(), strict=True):
                    mine[:, index] = theirs[candidate, at]


def _copy_gates(target: Supernet, source: Supernet, candidate: int) -> None:
    sources = {
        name: (group, index)
        for group in source.gates.values()
        if isinstance(group, JunctionGroup)
        for index, name in enumerate(group.names)
    }
    for group in target.gates.values():
        assert isinstance(group, JunctionGroup)
        for index, name in enumerate(group.names):
            if name in sources:
                _copy_junction(group, index, *sources[name], candidate)


def _copy_junction(group: JunctionGroup, index: int, source: JunctionGroup, at: int, candidate: int) -> None:
    columns = [source.sources_of[at].index(node) for node in group.sources_of[index]]
    for kind, gate in group.kinds.items():
        theirs = source.kinds[kind]
        assert isinstance(theirs, Gate)
        assert isinstance(gate, Gate)
        found = theirs.of_junction(at, candidate)
        num_candidates = next(gate.parameters()).shape[0]
        for k in range(num_candidates):
            for key, mine in gate.of_junction(index, k).items():
                mine.copy_(found[key][..., columns] if gate.per_source(key) else found[key])
    if group.transforms is not None and source.transforms is not None:
        matrices = [source.transformed.index(columns[position]) for position in group.transformed]
        group.transforms[:, index] = source.transforms[candidate, at, matrices]


def _copy_towers(target: Supernet, source: Supernet, candidate: int) -> None:
    sources = {
        task: (group, index)
        for group in source.tower_groups
        if isinstance(group, TowerGroup)
        for index, task in enumerate(group.tasks)
    }
    for group in target.tower_groups:
        assert isinstance(group, TowerGroup)
        for index, task in enumerate(group.tasks):
            if task in sources:
                theirs_group, at = sources[task]
                for mine, theirs in zip(group.parameters(), theirs_group.parameters(), strict=True):
                    mine[:, index] = theirs[candidate, at]
