"""The budget part of a job specification: where a search stops."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from mtnas.data.data_spec import Part
from mtnas.errors import SpecError
from mtnas.tasks import Objective

SAMPLED_ONLY = ("target", "patience", "failed_trials")
"""Limits on the values of trials while the search runs; gradient searches have values only at their end."""


class BudgetSpec(Part):
    """Where the search stops: the first limit that is reached counts; ``None`` is no limit.

    The limits are on the search alone. Baselines before it, and the comparison with random search, tuning and
    retraining after it, follow from the protocol; random search gets the candidate-steps that the search took.

    Attributes:
        trials: trials, failed ones included; of a gradient search, the routes that it proposes in the end.
        candidate_steps: training steps, summed over candidates; of searches over shared weights all passes through
            their networks (``mtnas.search.budgets.passes``); never exceeded.
        epochs: the same in passes over the training rows; never exceeded.
        device_seconds: seconds of training, summed over devices; the last generation may exceed it.
        deadline_s: seconds of wall time at work; the time in a queue or paused does not count. Trials that are still
            training then are cut off.
        target: stop once a trial reaches this value of the first objective (judged after every generation).
        patience: stop once so many trials in a row have brought no better value of the first objective.
        failed_trials: stop once so many trials have failed.
        failed_share: stop once at least this share of 16 or more trials has failed.
    """

    trials: Annotated[int, Field(ge=1)] = 64
    candidate_steps: Annotated[int, Field(ge=1)] | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    device_seconds: Annotated[float, Field(gt=0)] | None = None
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    target: float | None = None
    patience: Annotated[int, Field(ge=1)] | None = None
    failed_trials: Annotated[int, Field(ge=1)] | None = None
    failed_share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def is_reproducible(self) -> bool:
        """Whether no clock has a say in where the search stops."""
        return self.device_seconds is None and self.deadline_s is None


_TOTALS = ("trials", "candidate_steps", "epochs", "device_seconds")
_MUST_GROW = (*_TOTALS, "patience", "failed_trials", "failed_share")


def extended(limits: BudgetSpec, change: BudgetSpec, *, objective: Objective, reached: str | None) -> BudgetSpec:
    """The limits of a search that goes on: those that ``change`` sets replace the old ones; totals count all trials.

    Args:
        limits: of the search so far.
        change: the new limits; fields that were not set in it stay as they were.
        objective: the first one, of which ``target`` speaks.
        reached: the limit that ended the search (``StopReason``); None when it is not known.

    Raises:
        SpecError: a total below the old one, or a limit that was reached and stays as it was.
    """
    new = limits.model_copy(update={name: getattr(change, name) for name in change.model_fields_set})
    for name in _TOTALS:
        _check_no_less(name, getattr(limits, name), getattr(new, name), more=False)
    if reached in _MUST_GROW:
        _check_no_less(reached, getattr(limits, reached), getattr(new, reached), more=True)
    old, target = limits.target, new.target
    if reached == "target" and old is not None and target is not None and objective.signed(target - old) <= 0:
        expected = f"a better {objective.metric} than {old:g}, which was reached, or null"
        raise SpecError(expected=expected, found=f"{target:g}", where="budget.target")
    return new


def _check_no_less(name: str, old: float | None, new: float | None, *, more: bool) -> None:
    before, after = (math.inf if limit is None else limit for limit in (old, new))
    if after < before or (more and after == before):
        expected = f"more than {old:g}, which was reached" if more else f"at least {before:g}, as before"
        raise SpecError(expected=expected, found=f"{after:g}", where=f"budget.{name}")
