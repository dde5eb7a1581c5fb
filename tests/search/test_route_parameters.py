"""Routes and categorical parameters say the same thing, and any values can be read as a route."""

from __future__ import annotations

import numpy as np
import pytest

from mtnas.routes import EdgeState, Route, canonical_route
from mtnas.search.route_parameters import NONE, OFF, parameters, route_of, table, values_of
from mtnas.spaces import SearchSpace
from tests.search.planted import alike, different, forward_only, varied

SPACES = [alike(), different(), varied(), forward_only()]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_a_route_read_back_from_its_values_is_the_same(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        route = canonical_route(space.graph, space.sample(rng))
        found = values_of(space, route)
        kept = {name: found[name] for name in parameters(space)}
        assert canonical_route(space.graph, route_of(space, kept, rng)) == route


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_the_values_of_a_route_are_among_the_parameters_choices(space: SearchSpace) -> None:
    rng = np.random.default_rng(1)
    choices = parameters(space)
    for _ in range(30):
        found = values_of(space, canonical_route(space.graph, space.sample(rng)))
        assert all(found[name] in values for name, values in choices.items())


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_any_values_can_be_read_as_a_route_that_only_cost_can_refuse(space: SearchSpace) -> None:
    rng = np.random.default_rng(2)
    choices = parameters(space)
    for _ in range(100):
        drawn = {name: values[int(rng.integers(len(values)))] for name, values in choices.items()}
        reason = space.check(route_of(space, drawn, rng))
        assert reason is None or "parameters" in reason


def test_parameters_without_a_choice_are_left_out() -> None:
    choices = parameters(alike())
    assert not [name for name in choices if "=block" in name or ":gate" in name or name.startswith("in")]
    assert choices["to.t0<-l2.1"] == (OFF, "on")
    assert choices["to.t0:query"] == (NONE, "input", "mean", "static")


def test_surplus_inputs_are_dropped_and_missing_ones_drawn() -> None:
    space = varied()
    rng = np.random.default_rng(3)
    everything = {name: values[-1] for name, values in parameters(space).items()}
    nothing = {name: values[0] for name, values in parameters(space).items()}
    assert {len(mix.inputs) for name, mix in route_of(space, everything, rng).mixes if name != "in"} == {2}
    assert all(mix.inputs for _, mix in route_of(space, nothing, rng).mixes)


def test_what_no_tower_reaches_is_off() -> None:
    space = alike(tasks=1, subnets=2)
    route = Route.parse("in<-x:pass; to.l2.0<-l1.0:pass; to.t0<-l2.0:pass; l1.0=mlp(8); l2.0=mlp(8)")
    found = values_of(space, route)
    assert found["to.t0<-l2.0"] == str(EdgeState.ON)
    assert found["to.l2.1<-l1.0"] == found["to.l2.1<-l1.1"] == OFF
    assert found["to.l2.1:query"] == NONE


def test_rows_of_a_table_are_spelled_alike() -> None:
    space = alike()
    rng = np.random.default_rng(4)
    first, *others = [canonical_route(space.graph, space.sample(rng)) for _ in range(60)]
    like, *rows = table(space, [first, *others], like=first)
    plain = [values_of(space, route) for route in others]
    nearer = [sum(row[name] != like[name] for name in like) for row in rows]
    before = [sum(row[name] != like[name] for name in like) for row in plain]
    assert np.mean(nearer) < 0.9 * np.mean(before)
    read_back = [canonical_route(space.graph, route_of(space, row, rng)) for row in rows]
    assert read_back == others
