"""Mixture of experts with a gate per task, in one level and in several (MMoE; Ma et al., KDD 2018,
https://doi.org/10.1145/3219819.3220007)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes.building.layered import ENTRY, entry_junction, layered_graph, tower_junction
from mtnas.routes.nodes import Edge, Junction, Slot, Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble, full_route


def mmoe(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every task mixes all experts by a softmax of the input (MMoE; Ma et al., KDD 2018, eq. 5-7)."""
    names = [f"expert.{index}" for index in range(size.experts)]
    slots = [Slot(name=name, layer=1, reads=ENTRY, choices=(size.tower_of_blocks,)) for name in names]
    edges = tuple(Edge(source=name) for name in names)
    junctions = [entry_junction(), *(Junction(name=tower_junction(t.task), edges=edges) for t in towers)]
    return assemble("mmoe", towers, slots, junctions)


def full_sharing(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every sub-network and tower mixes the whole layer below: the layered space's widest route."""
    graph = layered_graph(towers, subnets=(size.experts,) * size.layers, choices=(size.block,))
    return NamedRoute(name="full_sharing", graph=graph, route=full_route(graph))


def ml_mmoe(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Multi-level MMoE: softmax gates of the input at every level; the same network as ``full_sharing``."""
    return replace(full_sharing(towers, size), name="ml_mmoe")
