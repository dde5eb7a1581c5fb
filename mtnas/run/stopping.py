"""What a budget means for a search by gradient, and how the end of any search is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtnas.run.context import Context
from mtnas.run.sampled import budget_of, epoch_steps
from mtnas.search import Budget, Stop, StopReason

_GOES_ON = (StopReason.CANDIDATE_STEPS, StopReason.EPOCHS, StopReason.DEVICE_SECONDS, StopReason.DEADLINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientLimits:
    """What a pack of searches by gradient may take.

    Attributes:
        budget: where the limits come from.
        all_steps: weight steps of each search without limits.
        most_steps: weight steps of each search; ``None`` when the budget allows all of them.
        seconds: time of the pack; ``None`` for any.
    """

    budget: Budget
    all_steps: int
    most_steps: int | None
    seconds: float | None


def gradient_limits(context: Context, *, searches: int, epochs: int) -> GradientLimits:
    """The job's budget, shared by so many searches of so many epochs in one pack.

    Raises:
        SpecError: not even a single step is left for each.
    """
    limits, all_steps = context.spec.budget, epochs * epoch_steps(context)
    budget = budget_of(context, limits, steps_per_trial=searches)
    most = None if budget.most_steps is None else budget.most_steps // searches
    seconds = [limits.device_seconds, limits.deadline_s]
    return GradientLimits(
        budget=budget,
        all_steps=all_steps,
        most_steps=None if most is None or most >= all_steps else most,
        seconds=min((limit for limit in seconds if limit is not None), default=None),
    )


def gradient_stop(limits: GradientLimits, *, out_of_time: bool) -> Stop:
    """Why the pack ended."""
    budget, spec = limits.budget, limits.budget.limits
    if out_of_time:
        timed = StopReason.DEADLINE if limits.seconds == spec.deadline_s else StopReason.DEVICE_SECONDS
        return budget.stop(timed, f"{limits.seconds:g} seconds were over before all {limits.all_steps} steps were done")
    if limits.most_steps is not None:
        detail = f"{limits.most_steps} of {limits.all_steps} steps of each search fit into {budget.most_steps} in all"
        return budget.stop(budget.reason_of_steps, detail)
    return budget.stop(StopReason.COMPLETED, f"all {limits.all_steps} steps were done")


def resumable(context: Context, key: str) -> bytes | None:
    """The state that a pack of the extended job stopped in, if a limit stopped it: the search goes on from there."""
    earlier = context.earlier
    if earlier is None or earlier.stop.get("reason") not in _GOES_ON:
        return None
    return earlier.checkpoint(f"pack/{key}")


def tell_stop(context: Context, stop: Stop) -> None:
    """Write down why the search ended."""
    context.journal.search_ended(stop.to_json())


def stop_from_json(document: Mapping[str, Any]) -> Stop:
    """The stop that was written by ``Stop.to_json``."""
    return Stop(**{**document, "reason": StopReason(document["reason"])})
