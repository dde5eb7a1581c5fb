"""The answer of a search: its trials in order, the front, and the one to take if only one is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtnas.search.history import signed_values
from mtnas.search.pareto import Points, best_first, front, knee
from mtnas.tasks import Objective
from mtnas.trials import Trial


def ranked(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[Trial, ...]:
    """The usable trials, best first: by front, then the less crowded, then the lower number.

    Failed and running trials, and those with a value that is missing or not finite, are left out.
    """
    ordered, values = _by_number(trials, objectives)
    return tuple(ordered[place] for place in best_first(values) if np.isfinite(values[place]).all())


def front_trials(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[Trial, ...]:
    """The trials that no other beats on one objective without losing on another, by number."""
    ordered, values = _by_number(trials, objectives)
    return tuple(ordered[place] for place in np.flatnonzero(front(values)))


def best_trial(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Trial | None:
    """The knee of the front, which is the best trial when there is one objective; None when no trial is usable."""
    ordered, values = _by_number(trials, objectives)
    place = knee(values)
    return None if place is None else ordered[place]


def _by_number(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[list[Trial], Points]:
    ordered = sorted(trials, key=lambda trial: trial.number)
    rows = [signed_values(trial, objectives) for trial in ordered]
    return ordered, np.array(rows, dtype=np.float64).reshape(len(rows), len(objectives))
