"""Phase ``retrain``: finalists and baselines of equal size, trained anew over seeds on ``train`` + ``search``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from mtnas.errors import SearchError
from mtnas.routes import Route, RouteGraph, route_digest
from mtnas.routes.schemes.by_name import NamedRoute
from mtnas.run.base_system import keep_encoding
from mtnas.run.context import Context
from mtnas.run.judging.figures import judged
from mtnas.run.packs.planned import Planned
from mtnas.run.packs.progress import WHOLE, Stretch
from mtnas.run.packs.train_planned import train
from mtnas.run.phases.baselines import Baselines, matched_baseline, planned_seeds
from mtnas.run.phases.independent import SEARCHES, Run, planned_runs, runs_of, trials_of
from mtnas.run.phases.search import RANDOM, Found, is_random
from mtnas.run.phases.tuning import Untuned, tune
from mtnas.run.phases.tuning_plan import Tuned, Tuning
from mtnas.trials import Candidate, Settings, Trial, TrialState

PARTS = ("train", "search")
RANDOM_SEARCHES = f"{RANDOM}-searches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """Something the report compares: a route with one trial per seed.

    Attributes:
        role: ``baseline`` or ``finalist``.
        trials: by seed, failed ones included.
        tuned: its learning rate and weight decay.
    """

    label: str
    role: str
    graph: RouteGraph
    route: Route
    digest: str
    trials: tuple[Trial, ...]
    tuned: Tuned

    @property
    def settings(self) -> Settings:
        """What every seed was trained with, but for the seeds."""
        return self.trials[0].candidate.settings

    @property
    def complete(self) -> list[Trial]:
        """The trials that could be trained."""
        return [trial for trial in self.trials if trial.state is TrialState.COMPLETE]

    def valid_score(self, context: Context) -> float:
        """Mean over the seeds of the score on ``valid``; what entrants are chosen by."""
        return fmean(context.valid_score(trial) for trial in self.complete) if self.complete else float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """Everything that is compared.

    Attributes:
        entrants: baselines first, then finalists by their score on ``valid``, best first.
        searches: the answers of independent searches as one entrant, whose trials are theirs in turn; its route is the
            first one's. ``None`` where there was one search.
        random_searches: the same of random searches.
    """

    entrants: list[Entrant]
    searches: Entrant | None = None
    random_searches: Entrant | None = None


def retrain(context: Context, known: Baselines, found: Found) -> Retrained:
    """Train finalists, baselines, and what independent searches found.

    Routes of a search keep the settings that they were found with, but for what is tuned.

    Raises:
        SearchError: no finalist could be trained.
    """
    context.start_phase("retrain")
    seeds = range(context.spec.protocol.num_seeds)
    searched = {f"finalist-{rank}": candidate for rank, candidate in enumerate(found.finalists, start=1)}
    for rank, candidate in enumerate(found.random_finalists, start=1):
        searched[RANDOM if rank == 1 else f"{RANDOM}-{rank}"] = candidate
    runs = [runs_of(found, searched, random=random) for random in (False, True)]
    alone = {run.label: run.candidate for of_kind in runs for run in of_kind if run.label not in searched}
    num_tuning = (len(searched) + len(alone)) * context.spec.training.num_tunings
    tuning = num_tuning / (num_tuning + len(alone) + len(seeds) * (len(known.tuned) + len(searched)))
    tuned, first = _tune_finalists(context, searched | alone, found.num_trials, WHOLE.part(0, tuning))
    num_params = context.space.cost(found.finalists[0].route).num_params
    planned: list[Planned] = []
    named_of: dict[str, NamedRoute] = {}
    for name, choice in known.tuned.items():
        named_of[name] = matched_baseline(context, known, name, num_params)
        start = first + len(planned)
        planned += planned_seeds(context, start, "retrain", name, named_of[name], tuned=choice, seeds=seeds)
    for label, candidate in searched.items():
        named = NamedRoute(name=label, graph=context.space.graph, route=candidate.route)
        named_of[label], start, choice = named, first + len(planned), tuned[label]
        planned += planned_seeds(
            context, start, "retrain", label, named, tuned=choice, seeds=seeds, like=candidate.settings
        )
    planned += planned_runs(context, first + len(planned), [*runs[0], *runs[1]], tuned, searched)
    trials = train(
        context,
        planned,
        parts=PARTS,
        evaluate_on=("valid", "test"),
        values=lambda evaluations: judged(context.tasks, evaluations[0].per_task),
        keep_weights=lambda trial: trial.label in searched and not is_random(trial.label),
        as_member=lambda trial: trial.label not in alone and may_be_member(context, trial),
        stretch=WHOLE.part(tuning, 1),
    )
    keep_encoding(context.journal, context.data.schema)
    entrants = [
        Entrant(
            label=label,
            role="finalist" if label in searched and not is_random(label) else "baseline",
            graph=named.graph,
            route=named.route,
            digest=route_digest(named.graph, named.route),
            trials=tuple(trial for trial in trials if trial.label == label),
            tuned=tuned[label] if label in tuned else known.tuned[label],
        )
        for label, named in named_of.items()
    ]
    finalists = [entrant for entrant in entrants if entrant.role == "finalist"]
    finalists.sort(key=lambda entrant: -entrant.valid_score(context))
    if not finalists[0].complete:
        reason = f"failed trials, one with: {finalists[0].trials[0].failure}"
        raise SearchError(expected="a finalist that can be trained", found=reason, where="phase 'retrain'")
    together = [
        _together(context, label, of_kind, trials, tuned)
        for label, of_kind in zip((SEARCHES, RANDOM_SEARCHES), runs, strict=True)
    ]
    return Retrained(
        entrants=[entrant for entrant in entrants if entrant.role != "finalist"] + finalists,
        searches=together[0],
        random_searches=together[1],
    )


def _together(
    context: Context, label: str, runs: Sequence[Run], trials: Sequence[Trial], tuned: Mapping[str, Tuned]
) -> Entrant | None:
    if not runs:
        return None
    graph, route, own = context.space.graph, runs[0].candidate.route, trials_of(context, runs, trials)
    return Entrant(
        label=label,
        role=SEARCHES,
        graph=graph,
        route=route,
        digest=route_digest(graph, route),
        trials=own,
        tuned=tuned[runs[0].label],
    )


def may_be_member(context: Context, trial: Planned) -> bool:
    """Whether a network may answer as part of the job's ensemble: it keeps to the limits that routes keep to.

    Where tasks are added to a system, only what holds the system's frozen weights may.
    """
    if context.spec.export.ensemble == "none" or (context.base is not None and trial.graph != context.space.graph):
        return False
    limits, cost = context.spec.constraints, context.cost(trial.graph, trial.candidate.route)
    bounds = ((limits.max_params, cost.num_params), (limits.max_macs, cost.macs))
    return all(most is None or found <= most for most, found in bounds)


def _tune_finalists(
    context: Context, searched: dict[str, Candidate], first: int, stretch: Stretch
) -> tuple[dict[str, Tuned], int]:
    """The tuning that baselines had, for the routes of the search: same rows, same grids, one seed."""
    entrants = [
        Untuned(label=label, graph=context.space.graph, route=found.route, like=found.settings)
        for label, found in searched.items()
    ]
    tunings = {entrant.label: Tuning.of(context.spec.training, entrant.like) for entrant in entrants}
    chosen = {label: tuning.given for label, tuning in tunings.items() if not tuning.is_needed}
    waiting = [entrant for entrant in entrants if entrant.label not in chosen]
    if not waiting:
        return chosen, first
    tuned, trials = tune(context, waiting, phase="tune", first=first, stretch=stretch)
    return chosen | tuned, first + len(trials)
