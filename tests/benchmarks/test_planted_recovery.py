"""Planted recovery: how routes are compared, and how one is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import search_spaces
from benchmarks.planted_recovery import TASKS, better_half, cheapest_of_the_best, clustered, jaccard
from benchmarks.planted_schemes import WIDTH
from mtnas.routes import InputShape, Mix, Route, canonical_route
from mtnas.spaces import SearchSpace

INPUTS = InputShape(num_numeric=8)
TRUTH = [0, 0, 0, 1, 1, 1]


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    built = search_spaces.build("branching", TASKS, {"layers": 2, "subnets": 2, "width": WIDTH})
    return replace(built, inputs=INPUTS)


def tree(space: SearchSpace, of_task: list[int], *, roots: list[int]) -> Route:
    """Tasks read the given sub-networks of the upper layer, and those the given ones of the lower."""
    sources = {f"to.task_{task}": f"l2.{chosen}" for task, chosen in enumerate(of_task)}
    sources |= {f"to.l2.{upper}": f"l1.{chosen}" for upper, chosen in enumerate(roots)}
    mixes = {}
    for junction in space.graph.junctions:
        source = sources.get(junction.name, junction.sources[0])
        states = {edge.source: edge.states[0] for edge in junction.edges if edge.source == source}
        mixes[junction.name] = Mix.of(junction, states)
    return canonical_route(space.graph, Route.of(mixes, {slot.name: slot.choices[0] for slot in space.graph.slots}))


def test_separate_towers_are_the_planted_clusters(space: SearchSpace) -> None:
    overlap = jaccard(space, tree(space, TRUTH, roots=[0, 1]))
    assert np.array_equal(overlap, np.equal.outer(TRUTH, TRUTH).astype(float))
    labels = clustered(overlap, 2)
    assert [label == labels[0] for label in labels] == [True] * 3 + [False] * 3


def test_a_common_lower_layer_counts_as_overlap_by_its_parameters(space: SearchSpace) -> None:
    overlap = jaccard(space, tree(space, TRUTH, roots=[0, 0]))
    block = space.graph.slots[0].choices[0]
    lower, upper = block.num_params(INPUTS.num_numeric), block.num_params(WIDTH)
    assert overlap[0, 5] == pytest.approx(lower / (lower + 2 * upper))


def test_tasks_that_share_everything_are_one_cluster(space: SearchSpace) -> None:
    assert clustered(jaccard(space, tree(space, [0] * 6, roots=[0, 0])), 3) == [0] * 6


def test_failed_trainings_do_not_count_against_a_route() -> None:
    assert better_half([0.9, 0.2, 0.8, 0.4]) == [0.2, 0.4]
    assert better_half([0.5]) == [0.5]


def test_the_cheaper_route_wins_only_within_a_standard_error(space: SearchSpace) -> None:
    apart, together = tree(space, TRUTH, roots=[0, 1]), tree(space, [0] * 6, roots=[0, 0])
    routes = {route.text: route for route in (apart, together)}
    best = [0.9, 1.1, 5.0, 6.0]  # the better half has mean 1 and standard error .1
    assert cheapest_of_the_best(space, routes, {apart.text: best, together.text: [1.09, 1.09]}) == together
    assert cheapest_of_the_best(space, routes, {apart.text: best, together.text: [1.11, 1.11]}) == apart
