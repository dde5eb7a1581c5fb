"""Tuning of learning rate and weight decay, alike for every entrant of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtnas.routes import Route, RouteGraph
from mtnas.run.context import Context
from mtnas.run.judging.figures import judged
from mtnas.run.packs.planned import plan
from mtnas.run.packs.progress import WHOLE, Stretch
from mtnas.run.packs.train_planned import check_any_trained, train
from mtnas.run.phases.tuning_plan import Pair, Tuned, Tuning
from mtnas.trials import Candidate, Settings, Trial, TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class Untuned:
    """An entrant before it is tuned: a route, and settings that a search found it with (``None``: the job's)."""

    label: str
    graph: RouteGraph
    route: Route
    like: Settings | None = None


def tune(
    context: Context, entrants: Sequence[Untuned], *, phase: str, first: int, stretch: Stretch = WHOLE
) -> tuple[dict[str, Tuned], list[Trial]]:
    """Tune all, with one seed, on ``train`` and ``valid``; gives the choices and the trials, numbered from ``first``.

    Raises:
        SearchError: no trial could be trained.
    """
    tunings = {entrant.label: Tuning.of(context.spec.training, entrant.like) for entrant in entrants}
    trials: list[Trial] = []
    begin = 0.0
    while True:
        wanted = [
            (entrant.label, entrant.graph, Candidate(route=entrant.route, settings=_settings(context, entrant, pair)))
            for entrant in entrants
            for pair in tunings[entrant.label].wanted(scores_of(context, trials, entrant.label))
        ]
        if not wanted:
            break
        share = stretch.part(begin, begin + 0.7 * (1 - begin))
        begin = begin + 0.7 * (1 - begin)
        trials += train(
            context,
            plan(first + len(trials), phase, wanted),
            parts=("train",),
            evaluate_on=("search", "valid"),
            values=lambda evaluations: judged(context.tasks, evaluations[0].per_task),
            stretch=share,
            may_all_fail=True,
        )
    context.runs.reach(stretch.end)
    check_any_trained(trials)
    found = {label: tuning.tuned(scores_of(context, trials, label)) for label, tuning in tunings.items()}
    return found, trials


def settings(
    context: Context, *, lr: float, seed: int, weight_decay: float | None = None, like: Settings | None = None
) -> Settings:
    """A candidate's settings.

    Args:
        context: the job.
        lr: its learning rate.
        seed: counts from 0 within the job.
        weight_decay: its own; ``None`` for that of ``like`` or, without such, the one that tuning starts with.
        like: settings that a search found, of which all else but the seeds is kept; ``None`` for the job's.
    """
    training = context.spec.training
    base = context.spec.seed * 1000 + seed
    start = Tuning.of(training).start
    common = like or Settings(weight_decay=start, dropout=training.dropout, gate=training.gate)
    decay = common.weight_decay if weight_decay is None else weight_decay
    return replace(common, lr=lr, weight_decay=decay, seed=base, data_seed=base)


def _settings(context: Context, entrant: Untuned, pair: Pair) -> Settings:
    return settings(context, lr=pair[0], weight_decay=pair[1], seed=0, like=entrant.like)


def scores_of(context: Context, trials: Sequence[Trial], label: str) -> dict[Pair, float]:
    """Scores on ``valid`` of an entrant's trials; failed trials and undefined scores lose."""
    scores = {}
    for trial in trials:
        if trial.label == label:
            found = context.valid_score(trial) if trial.state is TrialState.COMPLETE else math.nan
            used = trial.candidate.settings
            scores[used.lr, used.weight_decay] = -math.inf if math.isnan(found) else found
    return scores
