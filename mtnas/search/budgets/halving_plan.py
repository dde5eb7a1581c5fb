"""Successive halving: when candidates that train side by side are judged, and which of them go on.

Budgets only; ``run.phases.halving_rungs`` carries them out: packs train to a rung, and the survivors of all packs go
on from their checkpoints in new ones. Synchronous halving (Jamieson and Talwalkar, 2016, https://arxiv.org/abs/1502.07943,
algorithm 1) of a whole generation; decision 7 says why not the asynchronous rule of ASHA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtnas.errors import SpecError
from mtnas.search.fronts.pareto import Points, best_first


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A point in training at which candidates are judged.

    Attributes:
        steps: training steps that each candidate has taken by then, counted from its start.
        keep: how many go on.
    """

    steps: int
    keep: int


def rungs(*, num_candidates: int, max_steps: int, min_steps: int, reduction: int = 3) -> tuple[Rung, ...]:
    """The rungs below ``max_steps``: every time the candidates are cut by ``reduction``, their steps grow by it.

    The last rung stands at ``max_steps / reduction``, the one before at a ``reduction``-th of that, and so on down to
    no less than ``min_steps``, as long as there are candidates to cut. Whoever passes the last trains to
    ``max_steps``. Empty when there is nothing to cut.

    Args:
        num_candidates: how many start.
        max_steps: steps of a candidate that is never dropped.
        min_steps: steps before which nobody is judged.
        reduction: one in how many goes on (eta), at least 2.

    Raises:
        SpecError: a number out of range.
    """
    if num_candidates < 1 or not 1 <= min_steps <= max_steps or reduction < 2:
        raise SpecError(
            expected="num_candidates >= 1, 1 <= min_steps <= max_steps, reduction >= 2",
            found=f"{num_candidates}, {min_steps}, {max_steps}, {reduction}",
            where="halving",
        )
    cuts = 0
    while num_candidates >= reduction ** (cuts + 1) and max_steps // reduction ** (cuts + 1) >= min_steps:
        cuts += 1
    return tuple(
        Rung(steps=max_steps // reduction ** (cuts - cut), keep=num_candidates // reduction ** (cut + 1))
        for cut in range(cuts)
    )


def candidate_steps(plan: Sequence[Rung], *, num_candidates: int, max_steps: int) -> int:
    """Training steps of all candidates together when the plan is carried out."""
    total, alive, done = 0, num_candidates, 0
    for rung in plan:
        total += alive * (rung.steps - done)
        alive, done = rung.keep, rung.steps
    return total + alive * (max_steps - done)


def survivors(scores: Points, *, keep: int) -> tuple[int, ...]:
    """Places of the at most ``keep`` best candidates, ascending.

    Scores are ``[K, M]``, larger is better; several objectives are ordered by front, then by crowding. A candidate
    whose score is NaN or infinite has failed and does not go on, so fewer than ``keep`` may be left, even none.
    """
    order = [int(place) for place in best_first(scores) if np.isfinite(scores[place]).all()]
    return tuple(sorted(order[:keep]))
