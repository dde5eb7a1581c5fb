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
from mtnas.search.alignment import aligned
from mtnas.search.history import History, worst_for_failed
from mtnas.search.mutation import mutated
from mtnas.search.parameters import parameters, values_of
from mtnas.search.pareto import Points
from mtnas.search.proposals import Proposals
from mtnas.search.searcher import SampledSearcher, check_least
from mtnas.search.surrogate import Array, GaussianProcess, Surrogates
from mtnas.trials import Candidate

SETTINGS_CHANCE = 0.25
INDICATOR = math.sqrt(0.5)  # two routes are as far apart as they have different parameters
AUGMENTATION = 0.05  # weight of the sum beside the maximum (ParEGO, eq. 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianProcessSearcher(SampledSearcher):
    """Expected improvement (Jones et al., 1998) over a pool of new candidates, one after another.

    Candidates already chosen and trials still running are believed to come out as predicted (the kriging believer of
    Ginsbourger et al., 2010), so that the answers of a generation spread out. Several objectives are joined by random
    weights, new ones for every candidate (ParEGO; Knowles, 2006, https://doi.org/10.1109/TEVC.2005.851274).

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
        values = _unit(worst_for_failed(history.values))
        surrogates = Surrogates(known)
        while pool and proposals.missing > 0:
            joined = _joined(values, rng.dirichlet(np.ones(len(self.objectives))))
            improvement = _expected_improvement(surrogates.fit(joined), fresh, pending, best=float(joined.max()))
            best = int(np.argmax(improvement))
            proposals.offer(pool[best].route, pool[best].settings)
            pending = np.concatenate([pending, fresh[best : best + 1]])
            del pool[best]
            fresh = np.delete(fresh, best, axis=0)

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
        rows = []
        for candidate in candidates:
            found = values_of(self.space, aligned(self.space.graph, candidate.route, like))
            route = [INDICATOR * (found[name] == value) for name, values in choices.items() for value in values]
            rows.append([*route, *self.settings.features(candidate.settings)])
        width = sum(map(len, choices.values())) + self.settings.num_features
        return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _unit(values: Points) -> Points:
    """Each objective scaled to its range: 0 the worst found, 1 the best."""
    low, high = values.min(axis=0), values.max(axis=0)
    return np.asarray((values - low) / np.where(high > low, high - low, 1.0), dtype=np.float64)


def _joined(values: Points, weights: Array) -> Array:
    """Augmented Tchebycheff scores, larger is better; with one objective an increasing map of it."""
    shortfall = weights * (1.0 - values)
    return np.asarray(-(shortfall.max(axis=1) + AUGMENTATION * shortfall.sum(axis=1)), dtype=np.float64)


def _expected_improvement(process: GaussianProcess, fresh: Array, pending: Array, *, best: float) -> Array:
    """Expected improvement over the best value known, or believed of a pending point."""
    mean, deviation = process.predict(fresh), process.deviation(fresh, pending)
    z = (mean - process.predict(pending).max(initial=best)) / deviation
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in z.tolist()])
    return np.asarray(deviation * (z * below + np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)), dtype=np.float64)
