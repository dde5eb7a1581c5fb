"""MMoE whose gates open one expert per example by a low-rank controller ("Sparse is Enough in Scaling Transformers";
Jaszczur et al., NeurIPS 2021, https://arxiv.org/abs/2111.12763, section 3.1; METHODS.md section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes.nodes import GateKind, Tower
from mtnas.routes.schemes.mmoe import mmoe
from mtnas.routes.schemes.named_route import NamedRoute, Size, assemble


def controller(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """Every task's controller looks at the input and opens one expert of all."""
    graph = mmoe(towers, size).graph
    junctions = [
        replace(junction, gates=(GateKind.CONTROLLER,)) if len(junction.edges) > 1 else junction
        for junction in graph.junctions
    ]
    return assemble("controller", towers, graph.slots, junctions)
