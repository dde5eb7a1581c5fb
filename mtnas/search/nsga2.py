"""NSGA-II: parents by front and crowding, crossover and mutation of routes.

Our own moves instead of Optuna's sampler of that name: its crossover swaps flat parameters, so that it breaks junctions
apart and knows nothing of the space's constraints, and it keeps generations in attributes of its study, which a study
rebuilt from trials does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtnas.routes import Route
from mtnas.search.history import History
from mtnas.search.mutation import mutated
from mtnas.search.proposals import Proposals
from mtnas.search.searcher import SampledSearcher, check_least, check_share
from mtnas.search.spelling import cross_aligned
from mtnas.trials import Candidate, Settings

ATTEMPTS = 20  # children tried per child wanted before the rest is drawn at random


@dataclass(frozen=True, slots=True, kw_only=True)
class Nsga2Searcher(SampledSearcher):
    """NSGA-II (Deb et al., 2002, https://doi.org/10.1109/4235.996017).

    Parents are the best ``population`` of all finished trials by front, then crowding. (The paper selects from the
    last parents and their children; all trials instead make the answer a function of the trials, and nothing good is
    ever lost.) Binary tournaments pick two parents; with one objective this is a plain elitist genetic search.

    Attributes:
        population: trials that may become parents; as many random ones come first.
        crossover: probability that a child takes its choices from two parents.
        mutation: probability that a child is mutated; one that is not crossed always is.
        settings_chance: probability that a mutation changes a searched setting instead of the route.
    """

    population: int = 16
    crossover: float = 0.9
    mutation: float = 0.5
    settings_chance: float = 0.25

    def check(self) -> None:
        """See ``SampledSearcher.check``."""
        check_least("population", self.population, 2)
        check_share("crossover", self.crossover)
        check_share("mutation", self.mutation)
        check_share("settings_chance", self.settings_chance)

    def propose(self, history: History, proposals: Proposals, rng: np.random.Generator) -> None:
        """Offer children of the elite, after a random first population."""
        if not history.finished:
            return
        children = min(proposals.wanted, proposals.wanted + len(history.finished) - self.population)
        elite = [history.finished[index] for index in history.best_first()[: self.population]]
        for _ in range(ATTEMPTS * max(children, 0)):
            if len(proposals.candidates) >= children:
                return
            proposals.offer(*self._child(_winner(elite, rng), _winner(elite, rng), rng))

    def _child(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> tuple[Route, Settings]:
        route, settings = first.route, first.settings
        crossed = bool(rng.uniform() < self.crossover)
        if crossed:
            route = cross_aligned(self.space, first.route, second.route, rng)
            settings = self.settings.cross(first.settings, second.settings, rng)
        if crossed and rng.uniform() >= self.mutation:
            return route, settings
        return mutated(self.space, self.settings, route, settings, settings_chance=self.settings_chance, rng=rng)


def _winner(elite: list[Candidate], rng: np.random.Generator) -> Candidate:
    """The better of two drawn at random; the elite is sorted."""
    return elite[int(rng.integers(len(elite), size=2).min())]
