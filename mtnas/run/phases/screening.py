"""The end of a search over shared weights: what it proposes is trained alone, and by that the finalists are chosen.

Inherited weights rank routes poorly (the report tells Kendall's tau), and the known schemes of a space are among what
is screened: the answer is then below none of them except by chance. A pure function of the proposals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mtnas.run.context import Context
from mtnas.run.judging.figures import gains_on
from mtnas.run.packs.planned import plan
from mtnas.run.packs.progress import Stretch
from mtnas.run.packs.train_planned import train
from mtnas.run.phases.baselines import Baselines
from mtnas.run.phases.search_by_trials import budget_of
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.training.searches.supernet_search import DERIVED, SAMPLED
from mtnas.trials import Trial, TrialState

SCREENED = "screened"


def num_screened(context: Context, spec: SharedWeightsSearch) -> int:
    """How many routes are screened at most: half of a limited budget may go into it, and none where clocks decide."""
    limits = context.spec.budget
    if limits.device_seconds is not None or limits.deadline_s is not None:
        return 0
    budget = budget_of(context, limits.model_copy(update={"candidate_steps": None, "epochs": None}))
    most = budget_of(context, limits, steps_per_trial=1).most_steps
    affordable = spec.screen if most is None else most // (2 * budget.steps_per_trial)
    count = min(spec.screen, affordable, limits.trials)
    return count if count > 1 else 0


def screened(
    context: Context, known: Baselines, proposed: Sequence[Trial], count: int, *, first: int, stretch: Stretch
) -> list[Trial]:
    """Train so many of the proposed routes on ``train``: derived ones, then known schemes, then the most promising.

    Args:
        context: the job.
        known: the baselines, for gains.
        proposed: trials with inherited weights.
        count: how many routes.
        first: number of the first trial.
        stretch: what share of the phase this is.
    """
    if not count:
        return []
    objective = context.spec.objectives[0].to_objective()

    def promise(trial: Trial) -> tuple[int, float]:
        rank = {DERIVED: 0, SAMPLED: 2}.get(trial.label, 1)
        value = objective.signed(trial.values.get(objective.metric, math.nan))
        # Known schemes stay in their own order, from the most common on.
        return rank, float(trial.number) if rank == 1 else math.inf if math.isnan(value) else -value

    chosen: dict[str, Trial] = {}
    for trial in sorted((t for t in proposed if t.state is TrialState.COMPLETE), key=promise):
        chosen.setdefault(trial.route_digest, trial)
    wanted = [(SCREENED, context.space.graph, trial.candidate) for trial in list(chosen.values())[:count]]
    return train(
        context,
        plan(first, "search", wanted),
        parts=("train",),
        evaluate_on=("search", "valid"),
        values=lambda evaluations: gains_on("search", context.tasks, evaluations, known.reference["search"]),
        stretch=stretch,
        may_all_fail=True,
    )
