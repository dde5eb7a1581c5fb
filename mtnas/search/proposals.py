"""The candidates of one ask while they are gathered: canonical, inside the space, none twice, none tried before."""

from __future__ import annotations

import numpy as np

from mtnas.errors import SpaceError
from mtnas.routes import Route, canonical_route
from mtnas.search.history import Key, key_of
from mtnas.search.specs.settings_space import SettingsSpace
from mtnas.spaces import SearchSpace, mutate
from mtnas.trials import Candidate, Settings

MISSES = 10  # draws in a row without anything new, near them either, before a space is taken for exhausted
ENUMERABLE = 20_000  # combinations that are listed to find the last new ones; a few seconds
NEIGHBOURS = 20  # mutations tried to get away from a candidate that was tried before


class Proposals:
    """Gathers up to ``wanted`` new candidates."""

    def __init__(self, *, space: SearchSpace, settings: SettingsSpace, seen: frozenset[Key], wanted: int) -> None:
        self.space = space
        self.settings = settings
        self.wanted = wanted
        self.candidates: list[Candidate] = []
        self._seen = set(seen)

    @property
    def missing(self) -> int:
        """How many are still wanted."""
        return self.wanted - len(self.candidates)

    def offer(self, route: Route, settings: Settings) -> bool:
        """Take the candidate unless it is outside the space, known, or one too many; whether it was taken."""
        if self.missing < 1 or not self.space.contains(route):
            return False
        candidate = Candidate(route=canonical_route(self.space.graph, route), settings=settings)
        key = key_of(candidate, self.settings)
        if key in self._seen:
            return False
        self._seen.add(key)
        self.candidates.append(candidate)
        return True

    def offer_near(self, route: Route, settings: Settings, rng: np.random.Generator) -> bool:
        """Take the candidate, or else the first new one on a walk of mutations from it; whether one was taken."""
        for _ in range(NEIGHBOURS):
            if self.missing < 1:
                return False
            if self.offer(route, settings):
                return True
            if self.settings.parts and rng.uniform() < 0.5:
                settings = self.settings.mutate(settings, rng)
                continue
            try:
                route = mutate(self.space, route, rng)
            except SpaceError:  # nothing near by keeps to the constraints
                return False
        return False

    def fill(self, rng: np.random.Generator) -> None:
        """Take random candidates until none is missing, or the space has (as good as) nothing new.

        Draws that were tried before give way to mutations of them: where constraints leave little, drawing is slow.
        """
        misses = 0
        while self.missing > 0 and misses < MISSES:
            taken = self.offer_near(self.space.sample(rng), self.settings.sample(rng), rng)
            misses = 0 if taken else misses + 1
        if self.missing > 0 and self.space.size() * self.settings.size <= ENUMERABLE:
            self._take_the_rest()

    def _take_the_rest(self) -> None:
        for route in self.space.enumerate():
            for settings in self.settings.enumerate():
                self.offer(route, settings)
            if self.missing < 1:
                return
