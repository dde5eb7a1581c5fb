"""The claim of MTNAS as a test: typical sharing schemes are routes of its space, built with the space's own blocks.

Every scheme is written out by loops over the space's sub-networks; the space's supernet on the scheme's route must give
the same outputs and gradients, and the route costs what the named scheme of the same size costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from torch import Tensor

from mtnas.routes import NAMED_ROUTES, GateKind, Mix, Route, RouteGraph, Tower, cost
from mtnas.routes.schemes.by_name import NamedRoute, Size
from mtnas.spaces import SearchSpace
from search_spaces.mtnas_layers import mtnas_space
from tests.schemes.parts import INPUTS, Parts, assert_same, parts_of
from tests.schemes.test_named_schemes import weighted

TASKS = ("a", "b")
TOWERS = tuple(Tower(task=task, reads="", hidden=(3,)) for task in TASKS)
SPACE: SearchSpace = mtnas_space(TOWERS, layers=2, subnets=4, width=5)


def _mix(sources: tuple[int, ...], *, layer: int = 2) -> Mix:
    inputs = tuple(f"l{layer}.{i}" for i in sources)
    return Mix(inputs=inputs) if len(inputs) == 1 else Mix(inputs=inputs, gate=GateKind.SOFTMAX, query="input")


def _route(mixes: Mapping[str, Mix]) -> Route:
    return Route.of(mixes, {slot.name: slot.choices[0] for slot in SPACE.graph.slots})


def chains(tops: Mapping[str, tuple[int, ...]]) -> Route:
    """Sub-network i of layer 2 reads sub-network i of layer 1; a tower mixes these chains by a softmax of the input."""
    mixes = {"in": Mix(inputs=("x",))}
    mixes |= {f"to.l2.{i}": Mix(inputs=(f"l1.{i}",)) for i in range(4)}
    return _route(mixes | {f"to.{task}": _mix(tops[task]) for task in TASKS})


def full() -> Route:
    everything = (0, 1, 2, 3)
    mixes = {"in": Mix(inputs=("x",))}
    mixes |= {f"to.l2.{i}": _mix(everything, layer=1) for i in everything}
    return _route(mixes | {f"to.{task}": _mix(everything) for task in TASKS})


def mixed_chains(tops: Mapping[str, tuple[int, ...]]) -> Callable[[Parts], list[Tensor]]:
    def written_out(p: Parts) -> list[Tensor]:
        outputs = []
        for task in TASKS:
            experts = [p.block(f"l2.{i}", p.block(f"l1.{i}", p.x)) for i in tops[task]]
            weights = p.softmax(f"to.{task}", p.x)[:, list(tops[task])] if len(experts) > 1 else None
            mixture = experts[0] if weights is None else weighted(weights / weights.sum(1, keepdim=True), experts)
            outputs.append(p.tower(task, mixture))
        return outputs

    return written_out


def every_level(p: Parts) -> list[Tensor]:
    h = [p.block(f"l1.{i}", p.x) for i in range(4)]
    h = [p.block(f"l2.{i}", weighted(p.softmax(f"to.l2.{i}", p.x), h)) for i in range(4)]
    return [p.tower(task, weighted(p.softmax(f"to.{task}", p.x), h)) for task in TASKS]


OWN, ONE = {"a": (0,), "b": (1,)}, {"a": (0,), "b": (0,)}
ALL, OWN_AND_SHARED = dict.fromkeys(TASKS, (0, 1, 2, 3)), {"a": (0, 2, 3), "b": (1, 2, 3)}
SCHEMES: Mapping[str, tuple[Route, Callable[[Parts], list[Tensor]]]] = {
    "single_task": (chains(OWN), mixed_chains(OWN)),
    "shared_bottom": (chains(ONE), mixed_chains(ONE)),
    "mmoe": (chains(ALL), mixed_chains(ALL)),
    "cgc": (chains(OWN_AND_SHARED), mixed_chains(OWN_AND_SHARED)),
    "ml_mmoe": (full(), every_level),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_scheme_is_a_route_of_the_space(name: str) -> None:
    route, written_out = SCHEMES[name]
    assert SPACE.check(route) is None
    assert_same(_parts(SPACE.graph, route), written_out)


@pytest.mark.parametrize("name", SCHEMES)
def test_route_costs_what_the_named_scheme_costs(name: str) -> None:
    named = NAMED_ROUTES[name](TOWERS, Size(layers=2, experts=4, width=5))
    assert cost(SPACE.graph, SCHEMES[name][0], INPUTS) == cost(named.graph, named.route, INPUTS)


def test_what_the_space_has_no_edge_for_is_not_contained() -> None:
    skipping = SCHEMES["mmoe"][0].replace(mixes={"to.a": Mix(inputs=("l1.0",))})
    assert not SPACE.contains(skipping)


def _parts(graph: RouteGraph, route: Route) -> Parts:
    return parts_of(NamedRoute(name="route", graph=graph, route=route))
