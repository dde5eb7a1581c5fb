"""How entrants were trained, for the report, and whether that was long enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtnas.training.recipe import Recipe
from mtnas.trials import BEST_STEP, Trial


def training_facts(recipe: Recipe, entrants: Mapping[str, Sequence[Trial]]) -> dict[str, Any]:
    """Batch size, epochs and steps, and the entrants whose training ended while it still improved.

    A training ends still improving when its very last look is its best; an entrant does when more than half of its
    trainings do. Where the learning rate falls to nothing that alone does not prove that more steps would help, but
    where no entrant does, they would not.

    Args:
        recipe: of the job.
        entrants: complete trials by label.
    """
    improving = [label for label, trials in entrants.items() if trials and 2 * _improving(trials) > len(trials)]
    steps = max((trial.evaluations[0].costs["candidate_steps"] for t in entrants.values() for trial in t), default=0.0)
    warning = None
    if improving:
        warning = (
            f"{', '.join(improving)}: best on valid at the very last look, after {steps:g} steps. More epochs "
            f"(training.epochs, found {recipe.epochs}) or training.least_steps may give more."
        )
    return {
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "steps": steps,
        "best_step": {
            label: [trial.evaluations[0].costs.get(BEST_STEP) for trial in trials] for label, trials in entrants.items()
        },
        "still_improving": improving,
        "warning": warning,
    }


def _improving(trials: Sequence[Trial]) -> int:
    costs = [trial.evaluations[0].costs for trial in trials]
    return sum(of_trial.get(BEST_STEP) == of_trial["candidate_steps"] for of_trial in costs)
