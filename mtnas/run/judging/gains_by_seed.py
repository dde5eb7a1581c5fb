"""Every entrant's gains on ``test`` over single-task training, by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtnas.run.context import Context
from mtnas.run.phases.baselines import REFERENCE
from mtnas.run.phases.retrain import Entrant
from mtnas.training.measuring.gains import mean_gain, task_gains, worst_gain
from mtnas.trials import Trial

Gains = dict[int, dict[str, float]]


def gains_by_seed(context: Context, entrants: Sequence[Entrant]) -> dict[str, Gains]:
    """Per entrant and seed: every task's gain on ``test`` over single-task training with the same seed."""
    reference = {_seed(t): t for e in entrants if e.label == REFERENCE for t in e.complete}
    gains: dict[str, Gains] = {}
    for entrant in entrants:
        of_seed: Gains = {}
        for trial in entrant.complete:
            single = reference.get(_seed(trial))
            if single is not None:
                of_task = task_gains(context.tasks, trial.on("test").per_task, single.on("test").per_task)
                of_seed[_seed(trial)] = of_task | {"mean_gain": mean_gain(of_task), "worst_gain": worst_gain(of_task)}
        gains[entrant.label] = of_seed
    return gains


def gains_of(context: Context, entrants: Sequence[Entrant], on_test: Mapping[str, Mapping[str, float]]) -> Gains:
    """Gains of something without seeds, over single-task training with each seed."""
    singles = [t for e in entrants if e.label == REFERENCE for t in e.complete]
    gains: Gains = {}
    for single in singles:
        of_task = task_gains(context.tasks, on_test, single.on("test").per_task)
        gains[_seed(single)] = of_task | {"mean_gain": mean_gain(of_task), "worst_gain": worst_gain(of_task)}
    return gains


def _seed(trial: Trial) -> int:
    return trial.candidate.settings.seed
