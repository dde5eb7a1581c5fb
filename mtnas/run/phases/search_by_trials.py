"""Searches by trials: ask, train, tell, at generation barriers, until the budget says stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtnas.run.context import Context
from mtnas.run.judging.figures import gains_on
from mtnas.run.packs.planned import Orders, plan
from mtnas.run.packs.progress import Stretch
from mtnas.run.phases.baselines import Baselines
from mtnas.run.phases.halving_rungs import train_generation
from mtnas.run.phases.tuning import settings
from mtnas.run.work_clock import WorkClock
from mtnas.search import Budget, Searcher, Stop, StopReason, build
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.search.known_schemes import known_schemes
from mtnas.search.specs.fitness import check_fitness
from mtnas.spec import HalvingSpec, SampledSearch
from mtnas.training.feeding.task_batches import steps_per_epoch
from mtnas.training.seeds import derived_seed
from mtnas.trials import Candidate, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Trials of a search, and why there are no more."""

    trials: list[Trial]
    stop: Stop


def repeated(name: str, repeat: int) -> str:
    """The name of something of one of several independent searches; the first one's is the plain name."""
    return f"{name}-of-{repeat + 1}" if repeat else name


def epoch_steps(context: Context) -> int:
    """Steps of one pass over the training rows."""
    recipe = context.recipe
    return steps_per_epoch(context.data, own_rows=recipe.own_rows, parts=("train",), batch_size=recipe.batch_size)


def budget_of(context: Context, limits: BudgetSpec, *, steps_per_trial: int | None = None) -> Budget:
    """The limits, for this job's data and recipe; a trial takes all the epochs of the recipe unless told otherwise."""
    epoch = epoch_steps(context)
    return Budget(
        limits=limits,
        objective=context.spec.objectives[0].to_objective(),
        steps_per_trial=context.recipe.epochs * epoch if steps_per_trial is None else steps_per_trial,
        steps_per_epoch=epoch,
        timed=context.spec.asks_latency,
    )


def searcher_of(
    context: Context, spec: SampledSearch, *, known: Baselines, lrs: Sequence[float] | None = None, repeat: int = 0
) -> Searcher:
    """The searcher the specification names; the learning rate is part of what it searches, on the baselines' grid.

    ``known`` tells the task groups that are among the first candidates; ``lrs`` are other rates than the grid's;
    ``repeat``: which of several independent searches.

    Raises:
        SpaceError: it varies settings of gates that the space does not have.
    """
    check_fitness(spec, context.space)
    grid = context.spec.training.lr_grid if lrs is None else lrs
    return build(
        spec.kind,
        spec.options,
        space=context.space,
        objectives=tuple(objective.to_objective() for objective in context.spec.objectives),
        settings=spec.settings.space(settings(context, lr=grid[0], seed=0), lrs=grid),
        seed=derived_seed(repeated(f"{spec.kind} search", repeat), context.spec.seed) % 2**31,
        known=tuple(known_schemes(context.space, known.task_groups).values()),
    )


def sampled(
    context: Context,
    known: Baselines,
    spec: SampledSearch,
    budget: Budget,
    *,
    first: int,
    label: str,
    stretch: Stretch,
    lrs: Sequence[float] | None = None,
    repeat: int = 0,
) -> Sampled:
    """Run a whole search. Its trials are numbered from ``first`` on, those of the job it extends before all others.

    A second attempt asks for the same trials again and finds them done: what was asked depends on earlier trials
    alone, and no clock is looked at before the stored trials have all been asked for.
    """
    searcher, clock = (
        searcher_of(context, spec, known=known, lrs=lrs, repeat=repeat),
        WorkClock(context.journal, budget.limits.deadline_s, name=repeated("search/seconds", repeat)),
    )
    stored = {trial.number for trial in context.journal.trials() if (trial.phase, trial.label) == ("search", label)}
    trials = _trained(context, known, context.earlier_candidates("search", label), first, label, stretch.part(0, 0))
    while (stop := _why_stop(budget, trials, clock, replays=first + len(trials) in stored)) is None:
        told = [trial for trial in trials if not trial.was_cut]
        asked = searcher.ask(told, budget.room(trials, spec.generation))
        if not asked:
            stop = budget.stop(StopReason.EXHAUSTED, f"nothing new is left after {len(trials)} trials")
            break
        done, most = len(trials), max(budget.most_trials, len(trials) + len(asked))
        share = stretch.part(done / most, (done + len(asked)) / most)
        trials += _trained(
            context, known, asked, first + done, label, share, halving=spec.halving, stop_at=clock.stop_at
        )
        clock.save()
    return Sampled(trials=trials, stop=stop)


def _why_stop(budget: Budget, trials: Sequence[Trial], clock: WorkClock, *, replays: bool) -> Stop | None:
    return budget.why_stop(trials, seconds=0.0 if replays else clock.seconds)


def _trained(
    context: Context,
    known: Baselines,
    candidates: Sequence[Candidate],
    first: int,
    label: str,
    stretch: Stretch,
    *,
    halving: HalvingSpec | None = None,
    stop_at: float | None = None,
) -> list[Trial]:
    if not candidates:
        return []
    wanted = [(label, context.space.graph, candidate) for candidate in candidates]
    orders = Orders(
        parts=("train",),
        evaluate_on=("search", "valid"),
        values=lambda evaluations: gains_on("search", context.tasks, evaluations, known.reference["search"]),
        stop_at=stop_at,
    )
    return train_generation(context, plan(first, "search", wanted), orders, halving, stretch=stretch)
