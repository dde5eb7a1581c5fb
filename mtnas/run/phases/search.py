"""Phase ``search``: find routes, by policy gradient over shared weights or by training samples alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mtnas.errors import LostActorError, SearchError
from mtnas.routes.gate_settings import settings_in
from mtnas.run.context import Context
from mtnas.run.packs.found_routes import rank_by
from mtnas.run.packs.progress import WHOLE, Stretch
from mtnas.run.phases.baselines import Baselines
from mtnas.run.phases.search_by_supernet import search_with_shared_weights
from mtnas.run.phases.search_by_trials import budget_of, epoch_steps, repeated, sampled
from mtnas.run.phases.stopping import tell_stop
from mtnas.search import Spent, Stop
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.search.movement import movement
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.spec import GridChoice, SampledSearch, SearchedSettings
from mtnas.trials import LOST, Candidate, Trial, TrialState

RANDOM = "random"


def is_random(label: str) -> bool:
    """Whether an entrant or a trial comes from the random search: the best is ``random``, the next ``random-2``."""
    return label == RANDOM or label.startswith(f"{RANDOM}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the search found.

    Attributes:
        finalists: distinct routes (canonical), best first, each with the settings that it was best with.
        random_finalists: the best of an equal-budget random search, as many as finalists, where the protocol asks for
            one.
        winners: what each of several independent searches found; the first one's is the first finalist. Empty where
            the protocol asks for one search.
        random_winners: the same of random searches.
        num_trials: trials so far in the job.
        cost: candidate-steps (``mtnas.search.budgets.passes``) and device-seconds of all searches but random ones.
        stop: why the first search ended.
        moved: how far the first search moved (``mtnas.search.movement``).
        random_stop: why the first random search ended.
    """

    finalists: tuple[Candidate, ...]
    random_finalists: tuple[Candidate, ...]
    num_trials: int
    cost: dict[str, float]
    stop: Stop
    moved: dict[str, Any]
    random_stop: Stop | None = None
    winners: tuple[Candidate, ...] = ()
    random_winners: tuple[Candidate, ...] = ()


def search(context: Context, known: Baselines) -> Found:
    """Run the specification's search, and the random search it is compared with, as often as the protocol asks.

    Raises:
        SearchError: every trial of a search failed.
    """
    context.start_phase("search")
    count = context.spec.protocol.num_searches
    first = _one(context, known, repeat=0, first=known.num_trials, stretch=WHOLE.part(0, 1 / count))
    tell_stop(context, first.stop)
    runs = [first]
    for repeat in range(1, count):
        stretch = WHOLE.part(repeat / count, (repeat + 1) / count)
        runs.append(_one(context, known, repeat=repeat, first=runs[-1].num_trials, stretch=stretch))
    names = first.cost
    return Found(
        finalists=first.finalists,
        random_finalists=first.random_finalists,
        num_trials=runs[-1].num_trials,
        cost={name: sum(run.cost[name] for run in runs) for name in names},
        stop=first.stop,
        moved=first.moved,
        random_stop=first.random_stop,
        winners=tuple(run.finalists[0] for run in runs) if count > 1 else (),
        random_winners=tuple(run.random_finalists[0] for run in runs if run.random_finalists) if count > 1 else (),
    )


def _one(context: Context, known: Baselines, *, repeat: int, first: int, stretch: Stretch) -> Found:
    """One whole search with seeds of its own, and as much random search."""
    spec, wanted = context.spec.search, context.spec.protocol.finalists
    compares = context.spec.protocol.wants_random_search and spec.kind != "random"
    own = stretch.part(0, 0.5) if compares else stretch
    match spec:
        case SharedWeightsSearch():
            shared = search_with_shared_weights(context, known, spec, first, own, repeat=repeat)
            trials, spent, stop = shared.trials, shared.spent, shared.stop
            entropies, better = shared.entropies, shared.better_than_random
        case SampledSearch():
            limits, label = budget_of(context, context.spec.budget), repeated("search", repeat)
            found = sampled(context, known, spec, limits, first=first, label=label, stretch=own, repeat=repeat)
            trials, spent, stop = found.trials, asdict(Spent.of(found.trials)), found.stop
            entropies, better = (), None
    finalists = _best_candidates(context, trials, wanted, stop)
    first += len(trials)
    moved = movement(
        context.space, finalists[0].route, seed=context.spec.seed, entropies=entropies, better_than_random=better
    )
    random_finalists, random_stop = tuple[Candidate, ...](), None
    if compares:
        limits = budget_of(context, BudgetSpec(trials=_equal_trials(context, spent["candidate_steps"])))
        generation = spec.generation if isinstance(spec, SampledSearch) else 16
        # A supernet, and what is screened after it, takes the rate that baselines were tuned to: so does random search.
        lrs = (known.typical_lr,) if isinstance(spec, SharedWeightsSearch) else None
        spec = SampledSearch(kind="random", generation=generation, settings=_settings_of(context, spec))
        label, share = repeated(RANDOM, repeat), stretch.part(0.5, 1)
        random = sampled(context, known, spec, limits, first=first, label=label, stretch=share, lrs=lrs, repeat=repeat)
        random_finalists = _best_candidates(context, random.trials, len(finalists), random.stop)
        random_stop = random.stop
        first += len(random.trials)
    return Found(
        finalists=finalists,
        random_finalists=random_finalists,
        num_trials=first,
        cost=spent,
        stop=stop,
        moved=moved,
        random_stop=random_stop,
    )


def _equal_trials(context: Context, candidate_steps: float) -> int:
    """The fewest whole trials that take at least so many steps: random search gets no less than it is compared with."""
    return max(1, math.ceil(candidate_steps / (context.recipe.epochs * epoch_steps(context))))


def _settings_of(context: Context, spec: SampledSearch | SharedWeightsSearch) -> SearchedSettings:
    """What random search varies beside routes, and how it sets gates: the same as the search it is compared with."""
    if isinstance(spec, SampledSearch):
        return spec.settings
    gates, own = [variant.gate for variant in spec.variants()], settings_in(context.space.graph)
    values = {name: tuple(dict.fromkeys(gate[name] for gate in gates)) for name in gates[0] if name in own}
    return SearchedSettings(gate={name: GridChoice(grid=found) for name, found in values.items()})


def best_first(context: Context, trials: Sequence[Trial]) -> list[Trial]:
    """Complete trials of a search by the first objective: those that were trained alone, then those that were not.

    Of the latter, what a search derived comes first: inherited figures rank routes poorly.
    """
    objective = context.spec.objectives[0].to_objective()
    complete = (trial for trial in trials if trial.state is TrialState.COMPLETE)
    return sorted(complete, key=lambda trial: rank_by(trial, objective))


def _best_candidates(context: Context, trials: Sequence[Trial], count: int, stop: Stop) -> tuple[Candidate, ...]:
    """Of distinct routes."""
    complete = [trial for trial in best_first(context, trials) if not trial.is_infeasible]
    if not complete:
        reason = trials[0].failure or trials[0].notes["infeasible"] if trials else f"no trial ({stop.detail})"
        expected = "at least one complete trial that keeps to the constraints"
        kind = LostActorError if any(trial.notes.get(LOST) for trial in trials) else SearchError
        raise kind(expected=expected, found=str(reason), where="phase 'search'")
    distinct: dict[str, Candidate] = {}
    for trial in complete:
        distinct.setdefault(trial.route_digest, trial.candidate)
    return tuple(distinct.values())[:count]
