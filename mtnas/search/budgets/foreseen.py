"""The passes that a search over shared weights will make, foreseen: how many of its steps fit into a budget.

A search counts its passes itself, where they happen (``training.searches.shared_supernet``); tests hold
the two together.
"""

from __future__ import annotations

from collections.abc import Callable

from mtnas.search.budgets.passes import Passes, PassRows, learning, looking
from mtnas.search.specs.gradient_specs import LOOK_ROWS, DselectKSearch, GradientSearch, SnrSearch
from mtnas.search.specs.supernet_specs import (
    AFFINITY_BATCHES,
    OneShotSearch,
    ReinforceSearch,
    SharedWeightsSearch,
    SparseSharingSearch,
)

MOST_SAMPLED = 15
YARDSTICK = 16
"""Random routes that the derived one is compared with under the shared weights."""


def num_sampled(search: SharedWeightsSearch, *, trials: int) -> int:
    """Routes that each search proposes beside its derived one, where the job may have so many trials."""
    return min(MOST_SAMPLED, max(1, trials // search.num_searches) - 1)


def passes_of_steps(search: SharedWeightsSearch, rows: PassRows, *, first: int, steps: int) -> Passes:
    """Passes through one network from step ``first`` to the last of ``steps`` steps of its weights, all else included.

    Exact, so that a pack whose searches vary in numbers makes those of the variant that has the most.
    """
    passes = learning(rows.step) * (steps - first)
    warm = int(search.warmup * steps)
    match search:
        case ReinforceSearch():
            held_out = rows.held_out(search.reward_rows)
            rewards = _count(max(first, warm), steps, every=search.policy_every)
            passes += looking(held_out * search.routes_per_step) * rewards
            if search.prior and first <= warm:
                affinity = min(AFFINITY_BATCHES, rows.held_out_batches(search.reward_rows))
                passes += learning(held_out, backward=rows.num_tasks) * affinity
        case GradientSearch():
            taken = _count(max(first, warm), steps, every=search.architecture_every)
            passes += learning(rows.held_out(search.architecture_rows)) * taken
    return passes


def passes_of_proposals(
    search: SharedWeightsSearch, rows: PassRows, *, num_samples: int, num_others: int = 0
) -> Passes:
    """Passes through one network, at most, for the derived route and so many others with their inherited figures.

    Args:
        search: what proposes.
        rows: how many pass at a time.
        num_samples: routes that it draws beside the derived one.
        num_others: known schemes and random routes that are evaluated with them.
    """
    evaluation = looking(rows.evaluation)
    if not isinstance(search, SparseSharingSearch):
        return evaluation * num_others + _of_own_proposals(search, rows, num_samples)
    return evaluation


def _of_own_proposals(search: SharedWeightsSearch, rows: PassRows, num_samples: int) -> Passes:
    evaluation = looking(rows.evaluation)
    match search:
        case OneShotSearch():
            return evaluation * (search.evaluations + num_samples + 1)
        case SnrSearch() | DselectKSearch():
            looks = looking(rows.held_out(LOOK_ROWS)) * (1 + max(num_samples, 1))
            return evaluation * (num_samples + 1) + looks
        case _:
            return evaluation * (num_samples + 1)


def most_steps(foreseen: Callable[[int], float], most: float, *, least: int, whole: int) -> int:
    """The most steps, ``least`` to ``whole``, whose foreseen charge is within ``most``; ``least`` where none is.

    Args:
        foreseen: the charge of so many steps; where more steps once cost less (a warm-up longer by a step), fewer than
            the most may be found, but never too many.
        most: candidate-steps that may be charged.
        least: steps that are taken in any case.
        whole: steps without a limit.
    """
    low, high = least, whole
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if foreseen(middle) <= most else (low, middle - 1)
    return low


def _count(begin: int, end: int, *, every: int) -> int:
    """Multiples of ``every`` in ``[begin, end)``."""
    return max(0, -(-end // every) - -(-begin // every))
