"""Which learning rates and weight decays to try for an entrant, from the scores so far: nothing is trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtnas.spec import TrainingSpec
from mtnas.trials import Settings, Trial

Pair = tuple[float, float]
"""A learning rate and a weight decay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What was chosen on ``valid``.

    Attributes:
        on_edge: whether the rate or the decay lies on the edge of what was tried, extensions included.
        curve: scores by learning rate, at the decay that tuning starts with.
        decays: scores by weight decay, at the chosen rate.
    """

    lr: float
    weight_decay: float
    on_edge: bool
    curve: Mapping[float, float]
    decays: Mapping[float, float]

    def is_of(self, trial: Trial) -> bool:
        """Whether a trial had these."""
        used = trial.candidate.settings
        return (used.lr, used.weight_decay) == (self.lr, self.weight_decay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Grids to try, one after the other: rates at the middle decay, then decays at the best rate.

    While the best value lies on the edge of its grid, the grid grows by one value beyond that edge, in its own ratio,
    at most ``extend`` times a side. A pure function of scores, so that an interrupted job asks for the same again.
    """

    lrs: tuple[float, ...]
    decays: tuple[float, ...]
    extend: int

    @classmethod
    def of(cls, training: TrainingSpec, like: Settings | None = None) -> Tuning:
        """The job's; ``like`` are settings that a search found, whose weight decay stays if the search chose it."""
        decays = training.decay_grid
        if like is not None and like.weight_decay not in decays:
            decays = (like.weight_decay,)
        return cls(lrs=training.lr_grid, decays=decays, extend=training.extend)

    @property
    def start(self) -> float:
        """The decay that rates are tried at."""
        return self.decays[len(self.decays) // 2]

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.lrs) > 1 or len(self.decays) > 1

    @property
    def given(self) -> Tuned:
        """The choice where there is none."""
        return Tuned(lr=self.lrs[0], weight_decay=self.start, on_edge=False, curve={}, decays={})

    def wanted(self, scores: Mapping[Pair, float]) -> tuple[Pair, ...]:
        """What to train next, nothing when tuning is over. Scores are of all that was wanted before."""
        missing = tuple((lr, self.start) for lr in self.lrs if (lr, self.start) not in scores)
        if missing:
            return missing
        rates = {lr: score for (lr, decay), score in scores.items() if decay == self.start}
        beyond = _beyond(rates, self.lrs, self.extend)
        if beyond is not None:
            return ((beyond, self.start),)
        lr = _best(rates)
        missing = tuple((lr, decay) for decay in self.decays if (lr, decay) not in scores)
        if missing:
            return missing
        beyond = _beyond(self._of_rate(scores, lr), self.decays, self.extend)
        return () if beyond is None else ((lr, beyond),)

    def tuned(self, scores: Mapping[Pair, float]) -> Tuned:
        """The choice, from all that was wanted."""
        rates = {lr: score for (lr, decay), score in scores.items() if decay == self.start}
        lr = _best(rates)
        decays = self._of_rate(scores, lr)
        decay = _best(decays)
        on_edge = any(
            len(values) > 1 and best in (min(values), max(values)) for values, best in ((rates, lr), (decays, decay))
        )
        return Tuned(lr=lr, weight_decay=decay, on_edge=on_edge, curve=rates, decays=decays)

    @staticmethod
    def _of_rate(scores: Mapping[Pair, float], lr: float) -> dict[float, float]:
        return {decay: score for (rate, decay), score in scores.items() if rate == lr}


def _beyond(scores: Mapping[float, float], grid: Sequence[float], extend: int) -> float | None:
    """The next value beyond the edge that the best lies on; ``None`` if on none, or grown enough."""
    tried = sorted(scores)
    if len(tried) < 2:
        return None
    best = _best(scores)
    if best == tried[-1] and tried[-2] > 0 and sum(value > max(grid) for value in tried) < extend:
        beyond = _rounded(tried[-1] * tried[-1] / tried[-2])
        return beyond if beyond > tried[-1] else None  # rounding may lead back to where values lie close together
    if best == tried[0] > 0 and sum(value < min(grid) for value in tried) < extend:
        beyond = _rounded(tried[0] * tried[0] / tried[1])
        return beyond if 0 < beyond < tried[0] else None
    return None


def _best(scores: Mapping[float, float]) -> float:
    """The smallest of the best."""
    return max(sorted(scores), key=lambda value: scores[value])


def _rounded(value: float) -> float:
    """To three digits, so that people can read it."""
    return float(f"{value:.3g}")
