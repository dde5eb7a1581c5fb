"""What independent searches found, as one entrant: every search's answer, trained once with a seed of its own.

A verdict about one route, trained ten times, says nothing of another run of the search. So at the headline level the
pairs that are compared are runs (PROTOCOL.md, levels and point 5): intervals include the variance of searching.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtnas.routes import route_digest
from mtnas.run.context import Context
from mtnas.run.packs.planned import Planned, plan
from mtnas.run.phases.search import RANDOM, Found
from mtnas.run.phases.tuning import settings
from mtnas.run.phases.tuning_plan import Tuned
from mtnas.trials import Candidate, Trial

SEARCHES = "searches"
SEARCHED = "searched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One search's answer.

    Attributes:
        seed: with which it is trained, and the place of the search.
        label: of its tuning and its training: its own, or that of a finalist that is the same candidate.
    """

    seed: int
    label: str
    candidate: Candidate


def runs_of(found: Found, finalists: Mapping[str, Candidate], *, random: bool) -> list[Run]:
    """A run for every independent search; none where there was one search alone.

    Args:
        found: by the searches.
        finalists: what is tuned and trained anyway, by label.
        random: whether the random searches are meant.
    """
    winners, name = (found.random_winners, RANDOM) if random else (found.winners, SEARCHED)
    runs = []
    for seed, candidate in enumerate(winners):
        same = (label for label, other in finalists.items() if _same(candidate, other))
        runs.append(Run(seed=seed, label=next(same, f"{name}-of-{seed + 1}"), candidate=candidate))
    return runs


def planned_runs(
    context: Context, first: int, runs: Sequence[Run], tuned: Mapping[str, Tuned], known: Mapping[str, Candidate]
) -> list[Planned]:
    """A training for every run but those that a finalist's seed is already.

    Args:
        context: the job.
        first: number of the first trial.
        runs: of all searches.
        tuned: learning rates and decays by label.
        known: what is trained with every seed anyway, by label.
    """
    graph, wanted = context.space.graph, list[tuple[str, Candidate]]()
    for run in runs:
        if run.label not in known:
            choice, like = tuned[run.label], run.candidate.settings
            own = settings(context, lr=choice.lr, weight_decay=choice.weight_decay, seed=run.seed, like=like)
            wanted.append((run.label, Candidate(route=run.candidate.route, settings=own)))
    return plan(first, "retrain", [(label, graph, candidate) for label, candidate in wanted])


def trials_of(context: Context, runs: Sequence[Run], trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trial of every run, in the order of the searches."""
    base = context.spec.seed * 1000
    by_place = {(trial.label, trial.candidate.settings.seed - base): trial for trial in trials}
    return tuple(by_place[run.label, run.seed] for run in runs)


def num_routes(context: Context, trials: Sequence[Trial]) -> int:
    """Different routes among the searches' answers."""
    return len({route_digest(context.space.graph, trial.candidate.route) for trial in trials})


def _same(one: Candidate, other: Candidate) -> bool:
    return one.route == other.route and one.settings.without_seeds() == other.settings.without_seeds()
