"""The Searcher protocol, and what all sampled searchers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mtnas.errors import SpecError
from mtnas.routes import Route
from mtnas.search.history import History
from mtnas.search.proposals import Proposals
from mtnas.search.specs.settings_space import SettingsSpace
from mtnas.spaces import SearchSpace
from mtnas.tasks import Objective
from mtnas.trials import Candidate, Trial


class Searcher(Protocol):
    """Proposes candidates from the trials so far.

    ``ask`` is a pure function of the searcher's fields and the trials: no state is kept between calls, so a search is
    rebuilt from its trials alone. It is asked at generation barriers; ``tests/search/contract.py`` holds what every
    searcher must keep.
    """

    def ask(self, trials: Sequence[Trial], n: int) -> list[Candidate]:
        """Up to ``n`` candidates of canonical routes, none among the trials; fewer only when nothing new is left.

        Args:
            trials: the trials so far, in any order; those still running are not proposed again. Failed trials and
                values that are missing or not finite count as worst.
            n: size of the generation.

        Raises:
            SpaceError: the space's constraints leave no route.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledSearcher(ABC):
    """A searcher over a space and settings: subclasses propose, this class keeps the promises of ``Searcher``.

    Attributes:
        space: the routes.
        objectives: what to make large or small; several of them ask for a front.
        settings: the settings, searched or fixed.
        seed: decides everything that is drawn, together with the number of trials.
        known: canonical routes that are tried before anything is proposed, at most half of a generation of them at a
            time; settings that are searched are drawn.

    Raises:
        SpecError: no objective, one twice, or a negative seed.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    settings: SettingsSpace = field(default_factory=SettingsSpace)
    seed: int = 0
    known: tuple[Route, ...] = ()

    def __post_init__(self) -> None:
        metrics = [objective.metric for objective in self.objectives]
        if not metrics or len(set(metrics)) != len(metrics):
            raise SpecError(expected="at least one objective, none twice", found=str(metrics), where="objectives")
        check_least("seed", self.seed, 0)
        self.check()

    def check(self) -> None:  # noqa: B027 (searchers without hyper-parameters have nothing to check)
        """Refuse hyper-parameters that can never work."""

    @abstractmethod
    def propose(self, history: History, proposals: Proposals, rng: np.random.Generator) -> None:
        """Offer candidates; what is still missing afterwards is filled at random."""

    def ask(self, trials: Sequence[Trial], n: int) -> list[Candidate]:
        """See ``Searcher.ask``."""
        history = History.of(trials, space=self.space, settings=self.settings, objectives=self.objectives)
        proposals = Proposals(space=self.space, settings=self.settings, seen=history.seen, wanted=n)
        rng = np.random.default_rng((self.seed, len(trials)))
        tried = {candidate.route.text for candidate in (*history.finished, *history.running)}
        for route in [route for route in self.known if route.text not in tried][: max(1, n // 2)]:
            proposals.offer(route, self.settings.sample(rng))
        self.propose(history, proposals, rng)
        proposals.fill(rng)
        return proposals.candidates


def check_least(name: str, value: float, least: float) -> None:
    """Refuse a hyper-parameter below its least value.

    Raises:
        SpecError: it is.
    """
    if not value >= least:
        raise SpecError(expected=f"at least {least}", found=str(value), where=f"search.{name}")


def check_share(name: str, value: float) -> None:
    """Refuse a probability outside 0 to 1.

    Raises:
        SpecError: it is.
    """
    if not 0 <= value <= 1:
        raise SpecError(expected="0 to 1", found=str(value), where=f"search.{name}")
