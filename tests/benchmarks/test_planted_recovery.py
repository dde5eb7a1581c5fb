"""Planted recovery: how routes are compared, and how one is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import search_spaces
from benchmarks.planted_instances import TASKS, WIDTH, better_half, tasks_on
from benchmarks.planted_overlap import clustered, jaccard
from benchmarks.planted_recovery import cheapest_of_the_best
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


def test_the_true_route_of_one_layer_has_the_planted_clusters_and_full_sharing_none() -> None:
    shallow = replace(
        search_spaces.build("branching", TASKS, {"layers": 1, "subnets": 3, "width": WIDTH}), inputs=INPUTS
    )
    truth = [2, 0, 1, 1, 0, 2]
    assert np.array_equal(jaccard(shallow, tasks_on(shallow, truth)), np.equal.outer(truth, truth).astype(float))
    assert (jaccard(shallow, tasks_on(shallow, [1] * 6)) == 1).all()


def test_a_common_lower_layer_counts_as_overlap_by_its_parameters(space: SearchSpace) -> None:
    overlap = jaccard(space, tree(space, TRUTH, roots=[0, 0]))
    block = space.graph.slots[0].choices[0]
    lower, upper = block.num_params(INPUTS.num_numeric), block.num_params(WIDTH)
    assert overlap[0, 5] == pytest.approx(lower / (lower + 2 * upper))


def test_tasks_that_share_everything_are_one_cluster(space: SearchSpace) -> None:
    assert clustered(jaccard(space, tree(space, [0] * 6, roots=[0, 0])), 3) == [0] * 6


def test_more_places_than_clusters_are_merged_to_as_many_as_asked(space: SearchSpace) -> None:
    wide = replace(search_spaces.build("branching", TASKS, {"layers": 1, "subnets": 6, "width": WIDTH}), inputs=INPUTS)
    labels = clustered(jaccard(wide, tasks_on(wide, [0, 0, 1, 2, 2, 3])), 3)
    assert len(set(labels)) == 3
    assert labels[0] == labels[1]
    assert labels[3] == labels[4]


def test_failed_trainings_do_not_count_against_a_route() -> None:
    assert better_half([0.9, 0.2, 0.8, 0.4]) == [0.2, 0.4]
    assert better_half([0.5]) == [0.5]


def test_the_cheaper_route_wins_only_within_the_standard_error_of_the_difference(space: SearchSpace) -> None:
    apart, together = tree(space, TRUTH, roots=[0, 1]), tree(space, [0] * 6, roots=[0, 0])
    routes = {route.text: route for route in (apart, together)}
    best = [0.9, 1.1, 5.0, 6.0]  # the better half has mean 1 and standard error .1
    assert cheapest_of_the_best(space, routes, {apart.text: best, together.text: [1.09, 1.09]}) == together
    assert cheapest_of_the_best(space, routes, {apart.text: best, together.text: [1.11, 1.11]}) == apart
    noisy = [1.01, 1.21, 5.0, 6.0]  # mean 1.11, standard error .1: of the difference, .14
    assert cheapest_of_the_best(space, routes, {apart.text: best, together.text: noisy}) == together
