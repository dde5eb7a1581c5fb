"""Model-based and evolutionary searchers find better routes than random search at the same number of trials.

The scores are planted and cost nothing; seeds are fixed, so the figures never change unless the code does.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mtnas.search import (
    EvolutionSearcher,
    GaussianProcessSearcher,
    Nsga2Searcher,
    RandomSearcher,
    TpeSearcher,
    hypervolume,
)
from mtnas.search.searcher import SampledSearcher
from mtnas.spaces import SearchSpace
from mtnas.tasks import Objective
from tests.search.planted import GAIN, SIZE, alike, clusters_score, different, edges_score, searched

SEEDS = range(3)
TRIALS = 72
GENERATION = 12


def built(
    kind: type[SampledSearcher], space: SearchSpace, objectives: tuple[Objective, ...], seed: int
) -> SampledSearcher:
    """The searcher with its defaults, except that a small pool keeps the test short."""
    if kind is GaussianProcessSearcher:
        return GaussianProcessSearcher(space=space, objectives=objectives, seed=seed, pool=48)
    return kind(space=space, objectives=objectives, seed=seed)


@cache
def mean_best(kind: type[SampledSearcher], score: str) -> float:
    """The best planted score found, averaged over the seeds."""
    best = []
    for seed in SEEDS:
        space = different(subnets=4) if score == "edges" else alike()
        planted = edges_score(space, seed) if score == "edges" else clusters_score(space)
        searcher = built(kind, space, (GAIN,), seed)
        trials = searched(searcher, planted, trials=TRIALS, generation=GENERATION)
        best.append(max(trial.values["mean_gain"] for trial in trials))
    return float(np.mean(best))


@pytest.mark.parametrize("score", ["edges", "clusters"])
@pytest.mark.parametrize("kind", [EvolutionSearcher, TpeSearcher, Nsga2Searcher, GaussianProcessSearcher])
def test_it_finds_better_routes_than_random_search(kind: type[SampledSearcher], score: str) -> None:
    assert mean_best(kind, score) > mean_best(RandomSearcher, score)


@cache
def mean_hypervolume(kind: type[SampledSearcher]) -> float:
    """Volume that the front dominates, averaged over the seeds: score against number of parts."""
    volumes = []
    for seed in SEEDS:
        searcher = built(kind, alike(), (GAIN, SIZE), seed)
        trials = searched(searcher, clusters_score(alike()), trials=TRIALS, generation=GENERATION)
        points = [(t.values["mean_gain"], -t.values["num_params"]) for t in trials]
        volumes.append(hypervolume(np.array(points), np.array([-4.0, -20.0])))
    return float(np.mean(volumes))


@pytest.mark.parametrize("kind", [EvolutionSearcher, Nsga2Searcher, GaussianProcessSearcher])
def test_it_finds_a_better_front_than_random_search(kind: type[SampledSearcher]) -> None:
    assert mean_hypervolume(kind) > mean_hypervolume(RandomSearcher)
