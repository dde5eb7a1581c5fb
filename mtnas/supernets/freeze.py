"""Freezing: one candidate's route as a module of its own, with exactly the parameters the route uses."""

from __future__ import annotations

from mtnas.routes import Route, narrow
from mtnas.supernets.copying import copy_module, copy_nodes
from mtnas.supernets.supernet import Supernet


def freeze(supernet: Supernet, route: Route, *, candidate: int = 0) -> Supernet:
    """The route of one candidate as a supernet of its narrowed graph, K = 1, with copied weights.

    ``freeze(supernet, route)(x, whole_route) == supernet(x, route)`` for that candidate; nodes that no tower
    reaches are gone, and tied slots stay tied.
    """
    graph = narrow(supernet.graph, route)
    weight = next(supernet.parameters())
    aligned = supernet.alignment is not None
    frozen = Supernet(graph, supernet.inputs, [0], device=weight.device, dtype=weight.dtype, aligned=aligned)
    copy_nodes(frozen, supernet, candidate=candidate)
    if frozen.alignment is not None and supernet.alignment is not None:
        copy_module(frozen.alignment, supernet.alignment, candidate=candidate)
    return frozen
