"""Gathering candidates ends: with what was wanted, or with all there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtnas.search import LogUniform, RandomSearcher, SettingsSpace
from mtnas.search.proposals import Proposals
from mtnas.spaces import Constraints
from mtnas.trials import Settings
from tests.search.planted import GAIN, alike, finished, tiny, varied


def test_a_candidate_is_taken_once() -> None:
    space = alike()
    rng = np.random.default_rng(0)
    proposals = Proposals(space=space, settings=SettingsSpace(), seen=frozenset(), wanted=3)
    route = space.sample(rng)
    assert proposals.offer(route, Settings())
    assert not proposals.offer(route, Settings())
    assert not proposals.offer(route, Settings(lr=0.5))  # the learning rate is not searched
    assert proposals.missing == 2


def test_a_route_outside_the_space_is_not_taken() -> None:
    free = replace(varied(), constraints=Constraints())
    rng = np.random.default_rng(0)
    proposals = Proposals(space=varied(), settings=SettingsSpace(), seen=frozenset(), wanted=1000)
    taken = {proposals.offer(free.sample(rng), Settings()) for _ in range(50)}
    assert taken == {True, False}
    assert all(varied().contains(candidate.route) for candidate in proposals.candidates)


def test_near_a_known_candidate_another_is_taken() -> None:
    space = alike()
    rng = np.random.default_rng(0)
    proposals = Proposals(space=space, settings=SettingsSpace(), seen=frozenset(), wanted=20)
    route = space.sample(rng)
    for _ in range(20):
        assert proposals.offer_near(route, Settings(), rng)
    assert not proposals.offer_near(route, Settings(), rng)
    assert len({candidate.route for candidate in proposals.candidates}) == 20


def test_a_range_of_settings_never_runs_out() -> None:
    settings = SettingsSpace(parts=(LogUniform(name="lr", low=1e-4, high=1e-2),))
    searcher = RandomSearcher(space=tiny(), objectives=(GAIN,), settings=settings)
    assert len(searcher.ask([], 500)) == 500


def test_a_space_with_few_legal_routes_ends_soon() -> None:
    budget = varied().cost(varied().cheapest()).num_params
    space = replace(varied(), constraints=Constraints(max_params=budget))
    assert space.size() > 1_000_000
    candidates = RandomSearcher(space=space, objectives=(GAIN,)).ask([], 50)
    assert 1 <= len(candidates) < 50
    trials = finished(candidates, [{"mean_gain": 0.0}] * len(candidates))
    assert len(RandomSearcher(space=space, objectives=(GAIN,)).ask(trials, 50)) < 50
