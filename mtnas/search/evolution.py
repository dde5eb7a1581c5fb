"""Regularised evolution: tournaments among the youngest, one mutation per child, the oldest die."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtnas.search.fronts.pareto import best_first
from mtnas.search.history import History
from mtnas.search.mutation import mutated
from mtnas.search.proposals import Proposals
from mtnas.search.searcher import SampledSearcher, check_least, check_share

ATTEMPTS = 20  # children tried per child wanted before the rest is drawn at random


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionSearcher(SampledSearcher):
    """Regularised evolution (Real et al., 2019, https://arxiv.org/abs/1802.01548, algorithm 1).

    The population is the last ``population`` finished trials: who grows old dies, however good. Departures: children
    are made a generation at a time from one population, since trials run in packs; with several objectives the winner
    of a tournament is the one of lowest rank, then the less crowded; the mutations are those of ``mutation.py``.

    Attributes:
        population: trials that may become parents; as many random ones come first.
        tournament: members compared per child; more of them press harder.
        settings_chance: probability that a child changes a searched setting instead of its route.
    """

    population: int = 20
    tournament: int = 8
    settings_chance: float = 0.25

    def check(self) -> None:
        """See ``SampledSearcher.check``."""
        check_least("population", self.population, 1)
        check_least("tournament", self.tournament, 1)
        check_share("settings_chance", self.settings_chance)

    def propose(self, history: History, proposals: Proposals, rng: np.random.Generator) -> None:
        """Offer children of tournament winners, after a random first population."""
        if not history.finished:
            return
        children = min(proposals.wanted, proposals.wanted + len(history.finished) - self.population)
        alive = history.finished[-self.population :]
        standing = np.argsort(best_first(history.values[-self.population :]))
        for _ in range(ATTEMPTS * max(children, 0)):
            if len(proposals.candidates) >= children:
                return
            players = rng.integers(len(alive), size=self.tournament)
            parent = alive[int(players[np.argmin(standing[players])])]
            child = mutated(
                self.space,
                self.settings,
                parent.route,
                parent.settings,
                settings_chance=self.settings_chance,
                rng=rng,
            )
            proposals.offer(*child)
