"""Phase ``search``: find routes, by policy gradient over shared weights or by training samples alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mtnas.errors import SearchError
from mtnas.routes import Route, canonical_route, route_digest
from mtnas.run.baselines import Baselines, settings
from mtnas.run.context import Context, Orders
from mtnas.run.figures import gains_on
from mtnas.run.halving import train_generation
from mtnas.run.packs import PackFailed, PackTask, ReinforceResult, ReinforceWork
from mtnas.run.progress import WHOLE, Stretch
from mtnas.search import Choice, Searcher, SettingsSpace, build
from mtnas.spec import HalvingSpec, ReinforceSearch, SampledSearch
from mtnas.training.reinforce import Reinforce
from mtnas.training.seeds import derived_seed
from mtnas.trials import Candidate, Evaluation, Trial, TrialState

SAMPLED = 15
PATIENCE = 16
RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the search found.

    Attributes:
        finalists: distinct routes (canonical), best first.
        random_finalist: the best of an equal-budget random search, where the protocol asks for one.
        num_trials: trials so far in the job.
        cost: candidate-steps and device-seconds of the search.
    """

    finalists: tuple[Route, ...]
    random_finalist: Route | None
    num_trials: int
    cost: dict[str, float]


def search(context: Context, known: Baselines) -> Found:
    """Run the specification's search, and the random search it is compared with.

    Raises:
        SearchError: every trial failed.
    """
    context.start_phase("search")
    spec, wanted = context.spec.search, context.spec.protocol.finalists
    first = known.num_trials
    compares = _wants_random(context) and spec.kind != "random"
    own = WHOLE.part(0, 0.5) if compares else WHOLE
    match spec:
        case ReinforceSearch():
            trials, spent = _reinforce(context, known, spec, first, own)
        case SampledSearch():
            budget = context.spec.budget.trials
            searcher = _searcher(context, spec)
            trials, spent = _sampled(
                context, known, searcher, spec.generation, first, budget, "search", own, halving=spec.halving
            )
    finalists = _best_routes(context, trials, wanted)
    first += len(trials)
    random_finalist = None
    if compares:
        steps_per_trial = context.recipe.epochs * max(1, len(context.data.parts["train"]) // context.recipe.batch_size)
        budget = max(1, round(spent["candidate_steps"] / steps_per_trial))
        spec = SampledSearch(kind="random")
        searcher, rest = _searcher(context, spec), WHOLE.part(0.5, 1)
        random, _ = _sampled(context, known, searcher, spec.generation, first, budget, RANDOM, rest)
        random_finalist = _best_routes(context, random, 1)[0]
        first += len(random)
    return Found(finalists=finalists, random_finalist=random_finalist, num_trials=first, cost=spent)


def _wants_random(context: Context) -> bool:
    asked = context.spec.protocol.random_search
    return context.spec.protocol.level != "quick" if asked is None else asked


def _searcher(context: Context, spec: SampledSearch) -> Searcher:
    """The searcher the specification names; the learning rate is part of what it searches, on the baselines' grid."""
    grid = context.spec.training.lr_grid
    return build(
        spec.kind,
        spec.options,
        space=context.space,
        objectives=tuple(objective.to_objective() for objective in context.spec.objectives),
        settings=SettingsSpace(
            fixed=settings(context, lr=grid[0], seed=0),
            parts=(Choice(name="lr", values=grid),) if len(grid) > 1 else (),
        ),
        seed=derived_seed(f"{spec.kind} search", context.spec.seed) % 2**31,
    )


def _reinforce(
    context: Context, known: Baselines, spec: ReinforceSearch, first: int, stretch: Stretch
) -> tuple[list[Trial], dict[str, float]]:
    """One pack of searches; its proposals become trials evaluated with inherited weights."""
    done = context.journal.checkpoint("search/reinforce")
    if done is not None:
        record: dict[str, Any] = json.loads(done)
        finished = {trial.number: trial for trial in context.journal.trials()}
        return [finished[number] for number in record["numbers"]], record["cost"]
    base = settings(context, lr=known.typical_lr, seed=0)
    task = PackTask(
        key="search/reinforce",
        work=ReinforceWork(
            space=context.space,
            settings=tuple(
                replace(base, seed=base.seed + search, data_seed=base.data_seed + search)
                for search in range(spec.searches)
            ),
            search=Reinforce(
                routes_per_step=spec.routes_per_step,
                reward_rows=spec.reward_rows,
                lr=spec.lr,
                entropy=spec.entropy,
                warmup=spec.warmup,
                policy_every=spec.policy_every,
                prior=spec.prior,
            ),
            num_samples=SAMPLED,
        ),
        tasks=context.tasks,
        recipe=replace(context.recipe, epochs=spec.epochs or context.recipe.epochs),
        device=context.device,
    )
    (result,) = context.execute([task], stretch=stretch)
    if isinstance(result, PackFailed):
        raise result.error
    assert isinstance(result, ReinforceResult)
    context.journal.add_graphs({context.space.graph.digest: context.space.graph.to_json()})
    trials = _proposed_trials(context, known, task, result, first)
    context.journal.add_trials([replace(trial, state=TrialState.RUNNING) for trial in trials])
    context.journal.finish_trials(trials)
    spent = {"candidate_steps": float(result.candidate_steps), "device_seconds": result.seconds}
    record = {"numbers": [trial.number for trial in trials], "cost": spent}
    context.journal.save_checkpoint("search/reinforce", json.dumps(record).encode())
    return trials, spent


def _proposed_trials(
    context: Context, known: Baselines, task: PackTask, result: ReinforceResult, first: int
) -> list[Trial]:
    assert isinstance(task.work, ReinforceWork)
    graph, trials = context.space.graph, list[Trial]()
    for of_search, used in zip(result.proposals, task.work.settings, strict=True):
        for proposal in of_search:
            route = canonical_route(graph, proposal.route)
            found = context.cost(graph, route)
            costs = {"num_params": float(found.num_params), "macs": float(found.macs)}
            evaluation = Evaluation(part="search", per_task=proposal.inherited, costs=costs)
            figures = gains_on("search", context.tasks, (evaluation,), known.reference["search"])
            trials.append(
                Trial(
                    number=first + len(trials),
                    phase="search",
                    label="derived" if proposal.derived else "sampled",
                    candidate=Candidate(route=route, settings=used),
                    state=TrialState.COMPLETE,
                    graph_digest=graph.digest,
                    route_digest=route_digest(graph, route),
                    evaluations=(evaluation,),
                    values=figures | costs,
                    place=result.place,
                    notes={"weights": "inherited"},
                )
            )
    return trials


def _sampled(
    context: Context,
    known: Baselines,
    searcher: Searcher,
    generation: int,
    first: int,
    budget: int,
    label: str,
    stretch: Stretch,
    *,
    halving: HalvingSpec | None = None,
) -> tuple[list[Trial], dict[str, float]]:
    """Ask, train, tell, at generation barriers, until the budget of trials is spent, or the space, or all patience."""
    trials: list[Trial] = []
    while len(trials) < budget and not _is_hopeless(trials):
        asked = searcher.ask(trials, min(generation, budget - len(trials)))
        if not asked:
            break
        wanted = [(label, context.space.graph, candidate) for candidate in asked]
        planned = context.plan(first + len(trials), "search", wanted)
        trials += train_generation(
            context,
            planned,
            Orders(
                parts=("train",),
                evaluate_on=("search", "valid"),
                values=lambda evaluations: gains_on("search", context.tasks, evaluations, known.reference["search"]),
            ),
            halving,
            stretch=stretch.part(len(trials) / budget, (len(trials) + len(planned)) / budget),
        )
    spent = {"candidate_steps": 0.0, "device_seconds": 0.0}
    for trial in trials:
        for name in spent:
            spent[name] += trial.evaluations[0].costs[name] if trial.evaluations else 0.0
    return trials, spent


def _is_hopeless(trials: Sequence[Trial]) -> bool:
    """Whether many trials have run and none could be trained; a few that fail never end a search."""
    return len(trials) >= PATIENCE and all(trial.state is TrialState.FAILED for trial in trials)


def _best_routes(context: Context, trials: Sequence[Trial], count: int) -> tuple[Route, ...]:
    """Distinct routes: what searches derived first, then by the first objective."""
    objective = context.spec.objectives[0].to_objective()

    def rank(trial: Trial) -> tuple[bool, float]:
        value = trial.values.get(objective.metric, math.nan)
        return trial.label != "derived", math.inf if math.isnan(value) else -objective.signed(value)

    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not complete:
        reason = trials[0].failure if trials else "no route to try"
        raise SearchError(expected="at least one complete trial", found=str(reason), where="phase 'search'")
    distinct: dict[str, Route] = {}
    for trial in sorted(complete, key=rank):
        distinct.setdefault(trial.route_digest, trial.candidate.route)
    return tuple(distinct.values())[:count]
