"""Spaces: what they hold, count, list and draw, compared with plain listing and counting."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import pytest

from mtnas.errors import SpaceError
from mtnas.routes import (
    Block,
    BlockKind,
    Edge,
    EdgeState,
    GateKind,
    Junction,
    Mix,
    Route,
    Tower,
    canonical_route,
    cost,
    route_digest,
)
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import full_route
from mtnas.routes.widths import least_inputs
from mtnas.spaces import Constraints, SearchSpace
from tests.routes.every_route import every_mix, every_route
from tests.routes.random_graphs import BLOCKS, INPUTS, WIDTH, random_graph, random_route

TOWERS = (Tower(task="a", reads=""), Tower(task="b", reads="", hidden=()))
GRAPH = layered_graph(TOWERS, subnets=(3, 2), choices=BLOCKS[:2], queries=("input", "mean"))
SPACE = SearchSpace(name="layered", graph=GRAPH, inputs=INPUTS)


def random_space(seed: int, **limits: int) -> SearchSpace:
    graph = random_graph(np.random.default_rng(seed))
    return SearchSpace(name="random", graph=graph, inputs=INPUTS, constraints=Constraints(**limits))


def small_space(seed: int) -> SearchSpace:
    """The first random space from this seed on that is small enough to list."""
    while True:
        graph = random_graph(np.random.default_rng(seed), max_layers=2, max_slots=2)
        space = SearchSpace(name="random", graph=graph, inputs=INPUTS)
        if 20 < space.size() < 600:
            return space
        seed += 1000


@pytest.mark.parametrize("seed", range(60))
def test_samples_are_inside(seed: int) -> None:
    space = random_space(seed)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        assert space.check(space.sample(rng)) is None


@pytest.mark.parametrize("seed", range(40))
def test_every_legal_route_is_inside(seed: int) -> None:
    space = random_space(seed)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        route = random_route(rng, space.graph)
        assert space.check(route) is None
        assert space.check(canonical_route(space.graph, route)) is None


@pytest.mark.parametrize("seed", range(60))
def test_choices_of_a_junction_are_listed_once_each(seed: int) -> None:
    space = random_space(seed)
    for junction in space.graph.junctions:
        listed = list(space.mixes(junction))
        assert len(set(listed)) == len(listed)
        assert set(listed) == set(every_mix(junction))


@pytest.mark.parametrize("seed", range(15))
def test_size_and_enumeration_agree_with_plain_listing(seed: int) -> None:
    space = small_space(seed)
    routes = list(every_route(space.graph))
    assert space.size() == len(routes)
    architectures = {route_digest(space.graph, route) for route in routes}
    listed = [route_digest(space.graph, route) for route in space.enumerate()]
    assert len(listed) == len(set(listed))
    assert set(listed) == architectures
    assert all(route == canonical_route(space.graph, route) for route in space.enumerate())


@pytest.mark.parametrize("seed", range(8))
def test_enumeration_under_limits_is_the_part_that_keeps_to_them(seed: int) -> None:
    space = small_space(seed)
    everything = list(space.enumerate())
    params = sorted(space.cost(route).num_params for route in everything)
    macs = sorted(space.cost(route).macs for route in everything)
    limits = Constraints(max_params=params[len(params) // 2], max_macs=macs[2 * len(macs) // 3])
    kept = [r for r in everything if space.cost(r).num_params <= limits.max_params]  # type: ignore[operator]
    kept = [r for r in kept if space.cost(r).macs <= limits.max_macs]  # type: ignore[operator]
    assert list(replace(space, constraints=limits).enumerate()) == kept


@pytest.mark.parametrize("num_sources", [1, 2, 4, 6])
@pytest.mark.parametrize("num_queries", [1, 3])
def test_size_of_a_block_against_the_formula_of_the_paper(num_sources: int, num_queries: int) -> None:
    """METHODS.md section 1 gives (2^n - 1)|Q| choices per block: every subset with every query.

    A subset of one has no gate, so its queries all mean the same; we count it once: n + (2^n - 1 - n)|Q|. For one
    query both numbers agree.
    """
    queries = ("input", "mean", "static")[:num_queries]
    graph = layered_graph(TOWERS, subnets=(num_sources,) * 2, choices=BLOCKS[:1], queries=queries)
    num_blocks = num_sources + len(TOWERS)
    ours = num_sources + (2**num_sources - 1 - num_sources) * num_queries
    paper = (2**num_sources - 1) * num_queries
    assert SearchSpace(name="s", graph=graph).size() == ours**num_blocks
    assert ours == paper - num_sources * (num_queries - 1)


def test_size_of_a_huge_space_is_found_without_listing() -> None:
    both = (EdgeState.ON, EdgeState.FORWARD_ONLY)
    graph = layered_graph(TOWERS, subnets=(32,) * 4, choices=BLOCKS[:4])
    junctions = [replace(j, edges=tuple(replace(e, states=both) for e in j.edges)) for j in graph.junctions]
    space = SearchSpace(name="huge", graph=replace(graph, junctions=tuple(junctions)))
    per_block = 3**32 - 1
    assert space.size() == 2 * per_block ** (3 * 32 + 2) * 4 ** (4 * 32)


@pytest.mark.parametrize("seed", range(25))
def test_draws_are_uniform_over_sets_then_states_gates_and_queries(seed: int) -> None:
    """Chi-square against the documented probabilities; a fair draw exceeds the limit once in 10,000 seeds.

    Limit: the Wilson-Hilferty quantile at 3.72 standard deviations.
    """
    rng = np.random.default_rng(seed)
    space = random_space(seed)
    junction = space.graph.junctions[int(rng.integers(len(space.graph.junctions)))]
    chances = _chances(junction)
    if len(chances) == 1:
        junction = GRAPH.junctions[-1]
        chances = _chances(junction)
    num_draws = 3000
    drawn = Counter(space.sample_mix(junction, rng) for _ in range(num_draws))
    assert set(drawn) <= set(chances)
    assert sum(chances.values()) == pytest.approx(1)
    statistic = sum((drawn[mix] - num_draws * p) ** 2 / (num_draws * p) for mix, p in chances.items())
    freedom = len(chances) - 1
    assert statistic < freedom * (1 - 2 / (9 * freedom) + 3.72 * (2 / (9 * freedom)) ** 0.5) ** 3


def _chances(junction: Junction) -> dict[Mix, float]:
    states = {edge.source: len(edge.states) for edge in junction.edges}
    gates = sum(gate is not GateKind.PASS for gate in junction.gates)
    mixes = list(every_mix(junction))
    num_sets = len({frozenset(mix.inputs) for mix in mixes})
    return {
        mix: 1
        / num_sets
        / prod(states[source] for source in mix.inputs)
        / (1 if mix.gate is GateKind.PASS else gates)
        / (len(junction.queries) if mix.gate.takes_query else 1)
        for mix in mixes
    }


def test_samples_reach_every_architecture() -> None:
    space = small_space(3)
    rng = np.random.default_rng(0)
    drawn = {route_digest(space.graph, space.sample(rng)) for _ in range(2000)}
    assert drawn == {route_digest(space.graph, route) for route in space.enumerate()}


def test_samples_depend_on_the_generator_alone() -> None:
    first, second, other = (SPACE.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize("seed", range(20))
def test_samples_keep_to_every_limit(seed: int) -> None:
    free = random_space(seed)
    rng = np.random.default_rng(seed)
    costs = [free.cost(free.sample(rng)) for _ in range(40)]
    needed = max(max(j.min_inputs, sum(e.required for e in j.edges)) for j in free.graph.junctions)
    limits = Constraints(
        max_params=sorted(c.num_params for c in costs)[20],
        max_macs=sorted(c.macs for c in costs)[30],
        max_in_degree=needed + 1,
    )
    space = replace(free, constraints=limits)
    for _ in range(20):
        route = space.sample(rng)
        found = cost(space.graph, route, INPUTS)
        assert found.num_params <= limits.max_params  # type: ignore[operator]
        assert found.macs <= limits.max_macs  # type: ignore[operator]
        assert all(len(mix.inputs) <= needed + 1 for _, mix in route.mixes)
        assert space.contains(route)


def test_limits_that_random_routes_never_keep_to_are_still_met() -> None:
    """The only routes below the limit are the cheapest ones: one draw in many thousands."""
    graph = layered_graph(TOWERS, subnets=(4, 4), choices=BLOCKS[:3], queries=("input",))
    free = SearchSpace(name="tight", graph=graph, inputs=INPUTS)
    least = free.cost(free.cheapest()).num_params
    space = replace(free, constraints=Constraints(max_params=least))
    assert space.contains(space.sample(np.random.default_rng(0)))


@pytest.mark.parametrize("seed", range(40))
def test_cheapest_route_is_cheaper_than_all_that_differ_by_one_choice(seed: int) -> None:
    space = random_space(seed)
    rng = np.random.default_rng(seed)
    for by in ("num_params", "macs"):
        cheapest = space.cheapest(by=by)  # type: ignore[arg-type]
        assert space.contains(cheapest)
        least = getattr(space.cost(cheapest), by)
        assert all(least <= getattr(space.cost(space.sample(rng)), by) for _ in range(20))


@pytest.mark.parametrize("seed", range(40))
def test_cheapest_route_is_found_before_the_inputs_are_known(seed: int) -> None:
    """Graphs here mix inputs with sub-networks of width 6, or fill a slot with an identity instead of one."""
    space = replace(random_space(seed), inputs=None)
    inputs = least_inputs(space.graph)
    assert inputs.width in (0, WIDTH)
    assert space.contains(space.cheapest())
    assert cost(space.graph, space.cheapest(), inputs).num_params > 0


def test_cheapest_route_of_unlike_slots_takes_the_small_one() -> None:
    wide, slim = Block(kind=BlockKind.MLP, widths=(50, 6)), Block(kind=BlockKind.MLP, widths=(2, 6))
    layered = layered_graph(TOWERS[:1], subnets=(2, 2), choices=(wide,))
    slots = [replace(s, choices=(slim,)) if s.name in ("l1.1", "l2.1") else s for s in layered.slots]
    space = SearchSpace(name="unlike", graph=replace(layered, slots=tuple(slots)), inputs=INPUTS)
    route = space.cheapest()
    assert route.mix_of()["to.a"].inputs == ("l2.1",)
    assert route.mix_of()["to.l2.1"].inputs == ("l1.1",)


@pytest.mark.parametrize("limit", ["max_params", "max_macs"])
def test_impossible_limit_is_refused_when_sampling(limit: str) -> None:
    space = replace(SPACE, constraints=Constraints(**{limit: 3}))
    with pytest.raises(SpaceError, match=r"constraints: expected constraints that some route keeps to.* at most 3"):
        space.sample(np.random.default_rng(0))


def test_in_degree_below_what_a_junction_needs_is_refused() -> None:
    mixing = replace(GRAPH.junctions[-1], min_inputs=2)
    graph = replace(GRAPH, junctions=(*GRAPH.junctions[:-1], mixing))
    with pytest.raises(SpaceError, match=r"max_in_degree: expected at least 2, which junction to\.b needs, found 1"):
        SearchSpace(name="s", graph=graph, constraints=Constraints(max_in_degree=1))


@pytest.mark.parametrize("name", ["max_params", "max_macs", "max_in_degree"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "8", True])
def test_limit_that_is_no_positive_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SpaceError, match=rf"constraints\.{name}: expected a whole number of at least 1"):
        Constraints(**{name: value})


FULL = full_route(GRAPH)
TO_A = FULL.mix_of()["to.a"]


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (
            FULL.replace(mixes={"to.a": Mix(inputs=("l1.0",))}),
            r"junction to\.a: expected inputs among .*found \['l1\.0'\]",
        ),
        (FULL.replace(mixes={"to.a": Mix(inputs=("l9.0",))}), r"junction to\.a: expected a source of the graph"),
        (FULL.replace(mixes={"to.z": Mix(inputs=("l2.0",))}), r"expected one of the junctions .*found to\.z"),
        (
            FULL.replace(mixes={"to.a": Mix(inputs=TO_A.inputs, gate=GateKind.SUM)}),
            r"junction to\.a: expected a gate of \['softmax'\], found sum",
        ),
        (
            FULL.replace(mixes={"to.a": Mix(inputs=TO_A.inputs, gate=GateKind.SOFTMAX, query="static")}),
            r"junction to\.a: expected a query of \['input', 'mean'\], found static",
        ),
        (
            FULL.replace(mixes={"to.a": Mix(inputs=("l2.0",), forward_only=("l2.0",))}),
            r"junction to\.a: expected l2\.0 in a state of \['on'\], found forward_only",
        ),
        (FULL.replace(blocks={"l1.0": BLOCKS[3]}), r"slot l1\.0: expected one of .*found identity"),
        (FULL.replace(blocks={"l7.0": BLOCKS[0]}), r"slot l7\.0: expected one of \[\], found mlp"),
        (Route.of({}, FULL.block_of()), r"route: expected a mix for junction to\.., which a tower reaches, found none"),
        (Route.of(FULL.mix_of(), {}), r"route: expected a block for slot l2\.., which is reached, found none"),
    ],
)
def test_check_says_why_a_route_is_outside(route: Route, reason: str) -> None:
    found = SPACE.check(route)
    assert found is not None
    assert not SPACE.contains(route)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(found)


def test_check_says_which_limit_is_broken() -> None:
    found = SPACE.cost(FULL)
    over = replace(SPACE, constraints=Constraints(max_params=found.num_params - 1))
    assert over.check(FULL) == f"expected at most {found.num_params - 1} parameters, found {found.num_params}"
    over = replace(SPACE, constraints=Constraints(max_macs=found.macs - 1))
    assert over.check(FULL) == f"expected at most {found.macs - 1} multiply-accumulates, found {found.macs}"
    over = replace(SPACE, constraints=Constraints(max_in_degree=1))
    assert over.check(FULL) == "junction to.a: expected 1 to 1 inputs, found 2"
    exactly = Constraints(max_params=found.num_params, max_macs=found.macs, max_in_degree=3)
    assert replace(SPACE, constraints=exactly).check(FULL) is None


def test_required_edge_is_missed() -> None:
    first, second = GRAPH.junctions[-1].edges
    junction = replace(GRAPH.junctions[-1], edges=(first, Edge(source=second.source, required=True)))
    space = SearchSpace(name="s", graph=replace(GRAPH, junctions=(*GRAPH.junctions[:-1], junction)))
    route = FULL.replace(mixes={"to.b": Mix(inputs=(first.source,))})
    assert space.check(route) == "junction to.b: expected the required inputs ['l2.1'], found ['l2.0']"


@pytest.mark.parametrize("seed", range(20))
def test_space_is_read_back_from_json(seed: int) -> None:
    needed = 11  # sources that a random junction has at most
    space = replace(random_space(seed, max_params=900, max_macs=800, max_in_degree=needed), inputs=None)
    assert SearchSpace.from_json(json.loads(json.dumps(space.to_json()))) == space


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data | {"graph": None},
        lambda data: data | {"graph": [1]},
        lambda data: data | {"constraints": {"max_latency": 3}},
        lambda data: data | {"constraints": {"max_params": "many"}},
        lambda data: data | {"constraints": 3},
        lambda data: {"name": data["name"]},
        lambda data: [data],
        lambda data: None,
    ],
)
def test_json_that_is_no_space_is_refused(spoil: Any) -> None:
    with pytest.raises(SpaceError):
        SearchSpace.from_json(spoil(SPACE.to_json()))


def test_cost_without_inputs_is_refused() -> None:
    with pytest.raises(SpaceError, match="space 'layered': expected a space with known inputs"):
        replace(SPACE, inputs=None).cost(FULL)
