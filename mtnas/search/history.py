"""What a searcher may know of the trials so far: finished candidates with their values, and what must not repeat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtnas.routes import canonical_route
from mtnas.search.fronts.pareto import Points, best_first
from mtnas.search.specs.settings_space import SettingsSpace
from mtnas.spaces import SearchSpace
from mtnas.tasks import Objective
from mtnas.trials import Candidate, Trial, TrialState

Key = tuple[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The trials of a space in the order of their numbers; trials of routes outside it (baselines) are left out.

    Attributes:
        finished: canonical candidates of complete, pruned and failed trials.
        values: ``[N, M]``, the objectives with their signs set so that larger is better. A failed trial, one that
            breaks a limit on what is measured, and one with a value that is missing, NaN or infinite, has -inf
            everywhere: it counts as worst. A pruned trial
            stands beside the complete ones with what it had reached: every evaluation is of the best weights so far,
            so that figure is one the candidate had for certain, and more training could only have raised it.
        running: canonical candidates of trials without an outcome yet.
        seen: keys of all of them.
    """

    finished: tuple[Candidate, ...]
    values: Points
    running: tuple[Candidate, ...]
    seen: frozenset[Key]

    @staticmethod
    def of(
        trials: Sequence[Trial],
        *,
        space: SearchSpace,
        settings: SettingsSpace,
        objectives: Sequence[Objective],
    ) -> History:
        """Read the trials, in whatever order they come."""
        finished, running, rows = [], [], []
        for trial in sorted(trials, key=lambda trial: trial.number):
            candidate = trial.candidate
            if not space.contains(candidate.route) or not settings.contains(candidate.settings):
                continue
            known = Candidate(route=canonical_route(space.graph, candidate.route), settings=candidate.settings)
            if trial.state is TrialState.RUNNING:
                running.append(known)
            else:
                finished.append(known)
                rows.append(signed_values(trial, objectives))
        return History(
            finished=tuple(finished),
            values=np.array(rows, dtype=np.float64).reshape(len(rows), len(objectives)),
            running=tuple(running),
            seen=frozenset(key_of(candidate, settings) for candidate in (*finished, *running)),
        )

    def best_first(self) -> list[int]:
        """Places of the finished candidates from best to worst."""
        return [int(index) for index in best_first(self.values)]


def signed_values(trial: Trial, objectives: Sequence[Objective]) -> list[float]:
    """The trial's objectives, larger is better; -inf everywhere if it failed, is infeasible, or one is not finite."""
    values = [objective.signed(trial.values.get(objective.metric, math.nan)) for objective in objectives]
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and not trial.is_infeasible
    usable = ended and all(math.isfinite(value) for value in values)
    return values if usable else [-math.inf] * len(values)


def key_of(candidate: Candidate, settings: SettingsSpace) -> Key:
    """What makes two candidates of canonical routes the same: the route and the searched settings."""
    return candidate.route.text, settings.values(candidate.settings)


def worst_for_failed(values: Points) -> Points:
    """The values with those of failed trials set to the worst that was found, objective by objective."""
    finite = np.isfinite(values)
    worst = np.where(finite, values, np.inf).min(axis=0)
    return np.where(finite, values, worst)
