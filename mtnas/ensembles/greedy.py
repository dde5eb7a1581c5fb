"""Greedy selection of an ensemble with replacement (Caruana et al., "Ensemble Selection from Libraries of Models",
ICML 2004), a pure function of members' predictions.

Legend: M members, N rows, O outputs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]
"""Predictions ``[M, N, O]`` to ``[M]``: how good each is; larger is better, NaN for what cannot be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyRules:
    """Guards against fitting the rows that members are chosen on.

    Attributes:
        most_picks: a member may be picked several times.
        least_gain: more picks must bring at least this beyond fewer ones, or the fewer count.
        patience: picks in a row that may bring nothing.
    """

    most_picks: int = 32
    least_gain: float = 5e-5
    patience: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Members by their places, with how often each was picked, and by pick the score on the rows that decided."""

    counts: Mapping[int, int]
    path: tuple[float, ...]

    @property
    def weights(self) -> dict[int, float]:
        """Shares that add up to 1."""
        total = sum(self.counts.values())
        return {member: count / total for member, count in self.counts.items()}


def select(
    predictions_MNO: Tensor, score: Score, rules: GreedyRules, *, allowed: Sequence[int] | None = None
) -> Selected:
    """Start with the best member; add, with replacement, whichever makes the mean prediction best.

    Equal scores go to a member that is in already (the smaller set), then to the first. Of all beginnings of the list
    of picks the shortest counts that is within ``least_gain`` of the best: so the ensemble is never worse on these rows
    than its best member by more than that. We depart from the paper in ending after some picks that bring nothing.

    Args:
        predictions_MNO: probabilities or values, in the unit in which they are averaged.
        score: how good predictions are.
        rules: guards.
        allowed: members that may be picked; ``None`` for all.

    Raises:
        ValueError: nobody to pick from.
    """
    members = list(range(len(predictions_MNO))) if allowed is None else list(allowed)
    alone = score(predictions_MNO)
    members = [member for member in members if not math.isnan(float(alone[member]))]
    if not members:
        raise ValueError("no member whose predictions can be judged")
    picks: list[int] = []
    path: list[float] = []
    total_NO = torch.zeros_like(predictions_MNO[0])
    candidates_MNO = predictions_MNO[torch.tensor(members)]
    while len(picks) < rules.most_picks and len(picks) - _shortest(path, rules) <= rules.patience:
        found = score((total_NO + candidates_MNO) / (len(picks) + 1)).tolist()
        best = max(range(len(members)), key=lambda place: (found[place], members[place] in picks, -members[place]))
        picks.append(members[best])
        path.append(found[best])
        total_NO = total_NO + predictions_MNO[members[best]]
    end = _shortest(path, rules)
    return Selected(counts=dict(sorted(Counter(picks[:end]).items())), path=tuple(path[:end]))


def _shortest(path: Sequence[float], rules: GreedyRules) -> int:
    """How many picks it takes to come within ``least_gain`` of the best; 0 before the first."""
    return next((end for end, value in enumerate(path, 1) if value >= max(path) - rules.least_gain), 0)
