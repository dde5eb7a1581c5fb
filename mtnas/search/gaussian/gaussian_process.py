"""Bayesian optimisation with a Gaussian process over routes and settings.

Our own process instead of Optuna's GPSampler, which needs torch and scipy and took 4 to 12 s per candidate at 200
trials and 35 parameters once others are pending, as they are in a generation: a generation of 16 would have cost more
than a minute. This one takes a fraction of a second, and its candidates come from the space's own moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtnas.routes import Route
from mtnas.search.gaussian.acquisition import choose
from mtnas.search.gaussian.surrogate import Array
from mtnas.search.history import History, worst_for_failed
from mtnas.search.mutation import mutated
from mtnas.search.proposals import Proposals
from mtnas.search.route_parameters import parameters, table
from mtnas.search.searcher import SampledSearcher, check_least
from mtnas.trials import Candidate

SETTINGS_CHANCE = 0.25
INDICATOR = math.sqrt(0.5)  # two routes are as far apart as they have different parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianProcessSearcher(SampledSearcher):
    """The candidates of highest expected improvement out of a pool of new ones; see ``acquisition.py``.

    Attributes:
        startup: finished trials before the model is used; until then candidates are random.
        pool: new candidates among which each answer is chosen.
        elites: best trials whose mutations make half of the pool; the other half is random.
    """

    startup: int = 16
    pool: int = 256
    elites: int = 8

    def check(self) -> None:
        """See ``SampledSearcher.check``."""
        check_least("startup", self.startup, 2)
        check_least("pool", self.pool, 1)
        check_least("elites", self.elites, 1)

    def propose(self, history: History, proposals: Proposals, rng: np.random.Generator) -> None:
        """Offer the candidates of highest expected improvement, once there are trials to learn from."""
        if len(history.finished) < self.startup or not np.isfinite(history.values).any():
            return
        pool = self._pool(history, rng, size=max(self.pool, proposals.wanted))
        like = history.finished[history.best_first()[0]].route
        known = self._features(history.finished, like)
        pending = self._features(history.running, like)
        fresh = self._features(pool, like)
        values = worst_for_failed(history.values)
        for place in choose(known, values, fresh, pending, count=proposals.missing, rng=rng):
            proposals.offer(pool[place].route, pool[place].settings)

    def _pool(self, history: History, rng: np.random.Generator, *, size: int) -> list[Candidate]:
        """New candidates: mutations of the best trials, then random ones."""
        pool = Proposals(space=self.space, settings=self.settings, seen=history.seen, wanted=size)
        elite = [history.finished[index] for index in history.best_first()[: self.elites]]
        for index in range(size // 2):
            parent = elite[index % len(elite)]
            route, settings = parent.route, parent.settings
            for _ in range(1 + int(rng.integers(3))):
                route, settings = mutated(
                    self.space, self.settings, route, settings, settings_chance=SETTINGS_CHANCE, rng=rng
                )
            pool.offer(route, settings)
        pool.fill(rng)
        return pool.candidates

    def _features(self, candidates: Sequence[Candidate], like: Route) -> Array:
        """One row per candidate: an indicator per value of each parameter, then the searched settings."""
        choices = parameters(self.space)
        described = table(self.space, [candidate.route for candidate in candidates], like=like)
        rows = [
            [INDICATOR * (row[name] == value) for name, values in choices.items() for value in values]
            + list(self.settings.features(candidate.settings))
            for row, candidate in zip(described, candidates, strict=True)
        ]
        width = sum(map(len, choices.values())) + self.settings.num_features
        return np.array(rows, dtype=np.float64).reshape(len(rows), width)
