"""A graph whose towers mix a few linear sub-networks by one gate kind, and a pack of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtnas.routes import Block, BlockKind, GateKind, InputShape, RouteGraph, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.building.relaxed import with_gate
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.activations import Trunk
from mtnas.supernets.gates import Gate
from mtnas.supernets.junctions import JunctionGroup
from mtnas.training.step.noise import Noise
from tests.supernets.batches import RandomFeatures, random_features

INPUTS = InputShape(num_numeric=4)
TOWERS = (Tower(task="a", reads="", hidden=()), Tower(task="b", reads="", hidden=()))
ROWS = 6


def gated_graph(kind: GateKind, *, sources: int = 4, query: str = "static", selectors: int = 2) -> RouteGraph:
    """Two towers over ``sources`` sub-networks."""
    choices = (Block(kind=BlockKind.LINEAR, widths=(3,)),)
    return with_gate(layered_graph(TOWERS, subnets=(sources,), choices=choices), kind, query=query, selectors=selectors)


def pack(graph: RouteGraph, num_candidates: int = 1) -> Supernet:
    """Candidates of seed 0."""
    return Supernet(graph, INPUTS, [0] * num_candidates, dtype=torch.float64)


def gate_of(net: Supernet) -> Gate:
    """The towers' gate."""
    (gate,) = (
        gate for group in net.gates.values() if isinstance(group, JunctionGroup) for gate in group.kinds.values()
    )
    assert isinstance(gate, Gate)
    return gate


def selection(graph: RouteGraph, settings: Sequence[Mapping[str, float]] = ({},)) -> Selection:
    """The full route for every candidate, with the gates' settings."""
    routes = [[full_route(graph)] for _ in settings]
    return Selection.from_routes(graph, routes, dtype=torch.float64, gate=settings)


def batch(seed: int = 0) -> RandomFeatures:
    """A few rows."""
    return random_features(INPUTS, rows=ROWS, seed=seed)


def trunk(net: Supernet, chosen: Selection, noise: Noise | None = None) -> Trunk:
    """A pass up to the towers."""
    return net.trunk(batch(), chosen, noise)


def noise(num_candidates: int = 1, *, step: int = 0, seed: int = 0) -> Noise:
    """Noise without dropout."""
    found = Noise(seeds=[seed] * num_candidates, dropout=[0.0] * num_candidates, device=torch.device("cpu"))
    found.at_step(step)
    return found


def outputs(net: Supernet, chosen: Selection, drawn: Noise | None = None) -> Tensor:
    """Both towers' outputs ``[K, B, 2]``."""
    return torch.cat(net(batch(), chosen, drawn), dim=-1)
