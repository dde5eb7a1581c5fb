"""Phase ``baselines``: named routes get the tuning that the search gets; single-task sets the scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mtnas.errors import SearchError
from mtnas.routes.schemes.by_name import NamedRoute, matched
from mtnas.run.context import Context
from mtnas.run.judging.figures import Metrics
from mtnas.run.packs.planned import Planned, plan
from mtnas.run.phases.task_grouping import PARTITIONS, TASK_GROUPS, Groups, chosen_grouping, named_partition
from mtnas.run.phases.tuning import Untuned, settings, tune
from mtnas.run.phases.tuning_plan import Tuned
from mtnas.trials import Candidate, Settings, TrialState

REFERENCE = "single_task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """What the phase found.

    Attributes:
        tuned: learning rate and weight decay by baseline.
        reference: metrics of single-task training by part (``search``, ``valid``).
        num_trials: trials so far in the job.
        groups: the partitions of the tasks that baselines of this kind have chosen, by name.
    """

    tuned: Mapping[str, Tuned]
    reference: Mapping[str, Metrics]
    num_trials: int
    groups: Mapping[str, Groups] = field(default_factory=dict)

    @property
    def task_groups(self) -> Groups | None:
        """What affinities, or all partitions, say of who belongs together; None where nobody looked."""
        return self.groups.get(TASK_GROUPS, self.groups.get(PARTITIONS))

    @property
    def typical_lr(self) -> float:
        """The median of the baselines' learning rates, for training a supernet."""
        rates = sorted(found.lr for found in self.tuned.values())
        return rates[len(rates) // 2]


def baselines(context: Context) -> Baselines:
    """Tune every baseline, with one seed, at the size of a typical route of the space.

    Raises:
        SearchError: no learning rate trains single-task networks.
    """
    context.start_phase("baselines")
    asked = tuple(dict.fromkeys((REFERENCE, *context.named_baselines)))
    names = tuple(name for name in asked if name not in (PARTITIONS, TASK_GROUPS))
    num_params = typical_params(context)
    entrants = []
    for name in names:
        named = matched(name, context.towers, context.size, context.data.inputs, num_params=num_params)
        entrants.append(Untuned(label=name, graph=named.graph, route=named.route))
    tuned, trials = tune(context, entrants, phase="baselines", first=0)
    best = next(trial for trial in trials if trial.label == REFERENCE and tuned[REFERENCE].is_of(trial))
    if best.state is TrialState.FAILED:
        raise SearchError(
            expected=f"a {REFERENCE} network that can be trained, since gains are measured against it",
            found=f"failed trials, one with: {best.failure}",
            where="phase 'baselines'",
        )
    reference = {part: best.on(part).per_task for part in ("search", "valid")}
    known = Baselines(tuned=tuned, reference=reference, num_trials=len(trials))
    for name in asked:
        if name not in names:
            known = _with_grouping(context, known, name, num_params)
    return known


def _with_grouping(context: Context, known: Baselines, name: str, num_params: int) -> Baselines:
    """The baselines with one that splits the tasks: chosen at the typical learning rate, then tuned like the others."""
    told = settings(context, lr=known.typical_lr, seed=0)
    found = chosen_grouping(context, name, told, first=known.num_trials, num_params=num_params)
    named, first = named_partition(context, found.groups, num_params), known.num_trials + found.num_trials
    entrant = Untuned(label=name, graph=named.graph, route=named.route)
    tuned, trials = tune(context, [entrant], phase="baselines", first=first)
    return replace(
        known,
        tuned={**known.tuned, **tuned},
        num_trials=first + len(trials),
        groups={**known.groups, name: found.groups},
    )


def typical_params(context: Context) -> int:
    """Median parameters of routes drawn from the space."""
    rng = np.random.default_rng(context.spec.seed)
    counts = sorted(context.space.cost(context.space.sample(rng)).num_params for _ in range(33))
    return counts[len(counts) // 2]


def matched_baseline(context: Context, known: Baselines, name: str, num_params: int) -> NamedRoute:
    """A baseline as wide as it takes to have the finalist's parameters."""
    if name in known.groups:
        return named_partition(context, known.groups[name], num_params)
    return matched(name, context.towers, context.size, context.data.inputs, num_params=num_params)


def planned_seeds(
    context: Context,
    first: int,
    phase: str,
    label: str,
    named: NamedRoute,
    *,
    tuned: Tuned,
    seeds: Sequence[int],
    like: Settings | None = None,
) -> list[Planned]:
    """One trial per seed; ``like`` as for ``settings``."""
    lr, decay = tuned.lr, tuned.weight_decay
    of_seed = [settings(context, lr=lr, weight_decay=decay, seed=seed, like=like) for seed in seeds]
    return plan(first, phase, [(label, named.graph, Candidate(route=named.route, settings=own)) for own in of_seed])
