"""What a budget means for a search by gradient, and how the end of any search is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch

from mtnas.run.context import Context
from mtnas.run.phases.search_by_trials import budget_of, epoch_steps
from mtnas.search import Budget, Stop, StopReason
from mtnas.search.budgets.foreseen import most_steps, passes_of_proposals, passes_of_steps
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.search.budgets.passes import Passes
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.training.pack_state import STEP
from mtnas.training.searches.pass_rows import pass_rows
from mtnas.training.searches.supernet_search import passes_in

_GOES_ON = (
    StopReason.CANDIDATE_STEPS,
    StopReason.EPOCHS,
    StopReason.DEVICE_SECONDS,
    StopReason.DEADLINE,
    StopReason.SETTLED,
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where a pack goes on from: the step of its searches, and the passes of each until then."""

    step: int
    passes: Passes


def gradient_limits(
    context: Context,
    spec: SharedWeightsSearch,
    *,
    epochs: int,
    num_samples: int,
    num_others: int,
    num_screened: int,
    begun: Begun,
) -> GradientLimits:
    """The job's budget, shared by the searches of one pack: what is charged never exceeds it.

    Args:
        context: the job.
        spec: the searches.
        epochs: of each.
        num_samples: routes that each proposes beside its derived one.
        num_others: known schemes and random routes that are evaluated as well.
        num_screened: routes that are trained alone afterwards.
        begun: where the pack goes on from.

    Raises:
        SpecError: not even a single step is left for each.
    """
    limits, all_steps = context.spec.budget, epochs * epoch_steps(context)
    rows, networks = pass_rows(context.data, context.recipe), spec.num_networks(len(context.tasks))

    def foreseen(steps: int) -> float:
        charges = []
        for variant in spec.variants():
            passes = begun.passes + passes_of_steps(variant, rows, first=begun.step, steps=steps)
            passes += passes_of_proposals(variant, rows, num_samples=num_samples, num_others=num_others)
            charges.append((passes * networks).candidate_steps(rows.step))
        return max(charges) + num_screened * budget_of(context, BudgetSpec()).steps_per_trial

    least = max(begun.step, 1)
    budget = budget_of(context, limits, steps_per_trial=math.ceil(foreseen(least)))
    most = None
    if budget.most_steps is not None:
        most = most_steps(foreseen, budget.most_steps, least=least, whole=all_steps)
    seconds = [limits.device_seconds, limits.deadline_s]
    return GradientLimits(
        budget=budget,
        all_steps=all_steps,
        most_steps=None if most is None or most >= all_steps else most,
        seconds=min((limit for limit in seconds if limit is not None), default=None),
    )


def gradient_stop(limits: GradientLimits, *, out_of_time: bool, settled_after: int | None = None) -> Stop:
    """Why the pack ended; ``settled_after`` are the steps after which nothing was left to decide, if so."""
    budget, spec = limits.budget, limits.budget.limits
    if settled_after is not None:
        all_steps = limits.most_steps or limits.all_steps
        detail = f"nothing was left to decide after {settled_after} of {all_steps} steps"
        return budget.stop(StopReason.SETTLED, detail)
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


def begun_in(state: bytes | None) -> Begun:
    """How far the searches of a pack were in this state."""
    if state is None:
        return Begun(step=0, passes=Passes())
    tensors = safetensors.torch.load(state)
    return Begun(step=int(tensors[STEP]), passes=passes_in(tensors))


def tell_stop(context: Context, stop: Stop) -> None:
    """Write down why the search ended."""
    context.journal.search_ended(stop.to_json())


def stop_from_json(document: Mapping[str, Any]) -> Stop:
    """The stop that was written by ``Stop.to_json``."""
    return Stop(**{**document, "reason": StopReason(document["reason"])})
