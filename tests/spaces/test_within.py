"""Bringing routes within limits on cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtnas.routes import Route, canonical_route
from mtnas.spaces import Constraints, within
from tests.search.test_known_schemes import space_of


@pytest.mark.parametrize("name", ["mtnas", "joint", "gumbel_matrix", "automtl", "adashare"])
@pytest.mark.parametrize("limit", ["max_params", "max_macs"])
def test_what_comes_out_keeps_to_the_limit_and_comes_of_the_route(name: str, limit: str) -> None:
    space, rng = space_of(name), np.random.default_rng(0)
    costs = sorted(
        getattr(space.cost(space.sample(rng)), limit.removeprefix("max_").replace("params", "num_params"))
        for _ in range(30)
    )
    tight = replace(space, constraints=Constraints(**{limit: costs[3]}))
    for _ in range(5):
        route = canonical_route(space.graph, space.sample(rng))
        found = within(tight, route, np.random.default_rng(1))
        assert tight.contains(found)
        if tight.contains(route):
            assert found == route
        else:
            assert edges(found) <= edges(route)


def edges(route: Route) -> set[tuple[str, str]]:
    return {(name, source) for name, mix in route.mixes for source in mix.inputs}


def test_wiring_that_is_not_of_the_space_gives_a_random_route() -> None:
    space = space_of("mtnas")
    tight = replace(space, constraints=Constraints(max_in_degree=1))
    wide = space.sample(np.random.default_rng(4))
    assert tight.contains(within(tight, wide, np.random.default_rng(0)))
