"""Phase ``baselines``: named routes get the learning-rate tuning that the search gets; single-task sets the scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtnas.errors import SearchError
from mtnas.routes.schemes.by_name import NamedRoute, matched
from mtnas.run.context import Context
from mtnas.run.judging.figures import Metrics, judged
from mtnas.run.packs.planned import Planned, plan
from mtnas.run.packs.train_planned import train
from mtnas.trials import Candidate, Settings, Trial, TrialState

REFERENCE = "single_task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """A learning rate chosen on ``valid``, and whether it lies on the edge of its grid."""

    lr: float
    on_edge: bool
    curve: Mapping[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """What the phase found.

    Attributes:
        tuned: learning rates by baseline.
        reference: metrics of single-task training by part (``search``, ``valid``).
        num_trials: trials so far in the job.
    """

    tuned: Mapping[str, Tuned]
    reference: Mapping[str, Metrics]
    num_trials: int

    @property
    def typical_lr(self) -> float:
        """The median of the baselines' learning rates, for training a supernet."""
        rates = sorted(found.lr for found in self.tuned.values())
        return rates[len(rates) // 2]


def baselines(context: Context) -> Baselines:
    """Train every baseline at every learning rate, one seed, at the size of a typical route of the space.

    Raises:
        SearchError: no learning rate trains single-task networks.
    """
    context.start_phase("baselines")
    names = tuple(dict.fromkeys((REFERENCE, *context.named_baselines)))
    num_params = typical_params(context)
    wanted = []
    for name in names:
        named = matched(name, context.towers, context.size, context.data.inputs, num_params=num_params)
        wanted += [
            (name, named.graph, Candidate(route=named.route, settings=settings(context, lr=lr, seed=0)))
            for lr in context.spec.training.lr_grid
        ]
    planned = plan(0, "baselines", wanted)
    trials = train(
        context,
        planned,
        parts=("train",),
        evaluate_on=("search", "valid"),
        values=lambda evaluations: judged(context.tasks, evaluations[0].per_task),
    )
    tuned, of_name = {}, {}
    for name in names:
        of_name[name] = [trial for trial in trials if trial.label == name]
        tuned[name] = tune(context, of_name[name])
    best = next(t for t in of_name[REFERENCE] if t.candidate.settings.lr == tuned[REFERENCE].lr)
    if best.state is TrialState.FAILED:
        raise SearchError(
            expected=f"a {REFERENCE} network that can be trained, since gains are measured against it",
            found=f"failed trials, one with: {best.failure}",
            where="phase 'baselines'",
        )
    reference = {part: best.on(part).per_task for part in ("search", "valid")}
    return Baselines(tuned=tuned, reference=reference, num_trials=len(planned))


def settings(context: Context, *, lr: float, seed: int, like: Settings | None = None) -> Settings:
    """A candidate's settings.

    Args:
        context: the job.
        lr: its learning rate.
        seed: counts from 0 within the job.
        like: settings that a search found, of which all but the rate and the seeds are kept; ``None`` for the job's.
    """
    training = context.spec.training
    base = context.spec.seed * 1000 + seed
    common = like or Settings(weight_decay=training.weight_decay, dropout=training.dropout, gate=training.gate)
    return replace(common, lr=lr, seed=base, data_seed=base)


def typical_params(context: Context) -> int:
    """Median parameters of routes drawn from the space."""
    rng = np.random.default_rng(context.spec.seed)
    counts = sorted(context.space.cost(context.space.sample(rng)).num_params for _ in range(33))
    return counts[len(counts) // 2]


def tune(context: Context, trials: Sequence[Trial]) -> Tuned:
    """The learning rate whose trial is best on ``valid``; failed trials and undefined scores lose."""
    curve = {}
    for trial in trials:
        found = context.valid_score(trial) if trial.state is TrialState.COMPLETE else math.nan
        curve[trial.candidate.settings.lr] = -math.inf if math.isnan(found) else found
    best = max(curve, key=lambda lr: curve[lr])
    grid = sorted(curve)
    return Tuned(lr=best, on_edge=len(grid) > 1 and best in (grid[0], grid[-1]), curve=curve)


def matched_baseline(context: Context, name: str, num_params: int) -> NamedRoute:
    """A baseline as wide as it takes to have the finalist's parameters."""
    return matched(name, context.towers, context.size, context.data.inputs, num_params=num_params)


def planned_seeds(
    context: Context,
    first: int,
    phase: str,
    label: str,
    named: NamedRoute,
    *,
    lr: float,
    seeds: Sequence[int],
    like: Settings | None = None,
) -> list[Planned]:
    """One trial per seed; ``like`` as for ``settings``."""
    wanted = [
        (label, named.graph, Candidate(route=named.route, settings=settings(context, lr=lr, seed=seed, like=like)))
        for seed in seeds
    ]
    return plan(first, phase, wanted)
