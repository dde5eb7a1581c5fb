"""Freezing: one candidate's route as a module of its own, with exactly the parameters the route uses."""

from __future__ import annotations

from mtnas.errors import SpaceError
from mtnas.routes import Route, RouteGraph, narrow
from mtnas.supernets.copying import copy_module, copy_nodes, node_names
from mtnas.supernets.supernet import Supernet


def freeze(supernet: Supernet, route: Route, *, candidate: int = 0) -> Supernet:
    """The route of one candidate as a supernet of its narrowed graph, K = 1, with copied weights.

    ``freeze(supernet, route)(x, whole_route) == supernet(x, route)`` for that candidate; nodes that no tower
    reaches are gone, and tied slots stay tied.
    """
    return freeze_part(supernet, supernet.graph, route, candidate=candidate)


def freeze_part(supernet: Supernet, graph: RouteGraph, route: Route, *, candidate: int = 0) -> Supernet:
    """The same for a route of a smaller graph whose nodes the supernet has: the old tasks of a system that has grown.

    Raises:
        SpaceError: the supernet lacks a node of the route.
    """
    narrowed = narrow(graph, route)
    missing = sorted(node_names(narrowed) - node_names(supernet.graph))
    if missing:
        raise SpaceError(expected="a supernet with every node of the route", found=f"none of {missing}", where="route")
    weight = next(supernet.parameters())
    aligned = supernet.alignment is not None
    frozen = Supernet(narrowed, supernet.inputs, [0], device=weight.device, dtype=weight.dtype, aligned=aligned)
    copy_nodes(frozen, supernet, candidate=candidate)
    if frozen.alignment is not None and supernet.alignment is not None:
        copy_module(frozen.alignment, supernet.alignment, candidate=candidate)
    return frozen
