"""MMoE whose gates keep at most k experts each (DSelect-k; Hazimeh et al., NeurIPS 2021,
https://arxiv.org/abs/2106.03760; METHODS.md section 6), with gates per example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes.nodes import GateKind, Tower
from mtnas.routes.schemes.mmoe import mmoe
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble

SELECTORS = 2


def dselect_k(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Two selectors per task over all experts."""
    graph = mmoe(towers, size).graph
    junctions = [
        replace(
            junction,
            edges=tuple(replace(edge, required=True) for edge in junction.edges),
            gates=(GateKind.DSELECT_K,),
            min_inputs=len(junction.edges),
            selectors=min(SELECTORS, len(junction.edges)),
        )
        if len(junction.edges) > 1
        else junction
        for junction in graph.junctions
    ]
    return assemble("dselect_k", towers, graph.slots, junctions)
