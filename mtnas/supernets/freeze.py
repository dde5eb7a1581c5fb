"""Freezing: one candidate's route as a module of its own, with exactly the parameters the route uses."""

from __future__ import annotations

import torch
from torch import nn

from mtnas.routes import Route, narrow
from mtnas.supernets.gates import Gate
from mtnas.supernets.junctions import JunctionGroup
from mtnas.supernets.supernet import Supernet
from mtnas.supernets.towers import TowerGroup


def freeze(supernet: Supernet, route: Route, *, candidate: int = 0) -> Supernet:
    """The route of one candidate as a supernet of its narrowed graph, K = 1, with copied weights.

    ``freeze(supernet, route)(x, whole_route) == supernet(x, route)`` for that candidate; nodes that no tower
    reaches are gone.
    """
    graph = narrow(supernet.graph, route)
    weight = next(supernet.parameters())
    aligned = supernet.alignment is not None
    frozen = Supernet(graph, supernet.inputs, [0], device=weight.device, dtype=weight.dtype, aligned=aligned)
    with torch.no_grad():
        _copy_encoders(frozen, supernet, candidate)
        _copy_banks(frozen, supernet, candidate)
        _copy_gates(frozen, supernet, candidate)
        _copy_towers(frozen, supernet, candidate)
        if frozen.alignment is not None and supernet.alignment is not None:
            _copy(frozen.alignment, supernet.alignment, candidate)
    return frozen


def _copy(target: nn.Module, source: nn.Module, candidate: int) -> None:
    for mine, theirs in zip(target.parameters(), source.parameters(), strict=True):
        mine.copy_(theirs[candidate : candidate + 1])


def _copy_encoders(frozen: Supernet, supernet: Supernet, candidate: int) -> None:
    sources = dict(zip([e.name for e in supernet.graph.encoders], supernet.encoders, strict=True))
    for node, encoder in zip(frozen.graph.encoders, frozen.encoders, strict=True):
        _copy(encoder, sources[node.name], candidate)


def _copy_banks(frozen: Supernet, supernet: Supernet, candidate: int) -> None:
    sources = {
        (slot.name, group.block.text): (bank, at)
        for group, bank in supernet.slot_banks()
        for slot, at in zip(group.slots, group.instances, strict=True)
    }
    for group, bank in frozen.slot_banks():
        for slot, index in zip(group.slots, group.instances, strict=True):
            source, at = sources[slot.name, group.block.text]
            for mine, theirs in zip(bank.parameters(), source.parameters(), strict=True):
                mine[0, index] = theirs[candidate, at]


def _copy_gates(frozen: Supernet, supernet: Supernet, candidate: int) -> None:
    sources = {
        name: (group, index)
        for group in supernet.gates.values()
        if isinstance(group, JunctionGroup)
        for index, name in enumerate(group.names)
    }
    for group in frozen.gates.values():
        assert isinstance(group, JunctionGroup)
        for index, name in enumerate(group.names):
            source, at = sources[name]
            columns = [source.sources_of[at].index(node) for node in group.sources_of[index]]
            for kind, gate in group.kinds.items():
                theirs, like = source.kinds[kind], gate
                assert isinstance(theirs, Gate)
                assert isinstance(like, Gate)
                found = theirs.of_junction(at, candidate)
                for key, mine in like.of_junction(index, 0).items():
                    mine.copy_(found[key][..., columns] if like.per_source else found[key])
            if group.transforms is not None and source.transforms is not None:
                matrices = [source.transformed.index(columns[position]) for position in group.transformed]
                group.transforms[0, index] = source.transforms[candidate, at, matrices]


def _copy_towers(frozen: Supernet, supernet: Supernet, candidate: int) -> None:
    sources = {
        task: (group, index)
        for group in supernet.tower_groups
        if isinstance(group, TowerGroup)
        for index, task in enumerate(group.tasks)
    }
    for group in frozen.tower_groups:
        assert isinstance(group, TowerGroup)
        for index, task in enumerate(group.tasks):
            source, at = sources[task]
            for mine, theirs in zip(group.parameters(), source.parameters(), strict=True):
                mine[0, index] = theirs[candidate, at]
