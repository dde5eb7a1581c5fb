"""Phase ``search``: find routes, by policy gradient over shared weights or by training samples alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mtnas.errors import SearchError
from mtnas.routes import Route, canonical_route, route_digest
from mtnas.run.baselines import Baselines, settings
from mtnas.run.context import Context
from mtnas.run.figures import gains_on
from mtnas.run.packs import PackFailed, PackTask, ReinforceResult, ReinforceWork
from mtnas.run.progress import WHOLE, Stretch
from mtnas.run.sampled import budget_of, epoch_steps, sampled
from mtnas.run.stopping import gradient_limits, gradient_stop, resumable, stop_from_json, tell_stop
from mtnas.search import Spent, Stop
from mtnas.search.limits import BudgetSpec
from mtnas.spec import ReinforceSearch, SampledSearch
from mtnas.training.reinforce import Reinforce
from mtnas.trials import Candidate, Evaluation, Trial, TrialState

SAMPLED = 15
RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the search found.

    Attributes:
        finalists: distinct routes (canonical), best first.
        random_finalist: the best of an equal-budget random search, where the protocol asks for one.
        num_trials: trials so far in the job.
        cost: candidate-steps and device-seconds of the search.
        stop: why the search ended.
        random_stop: why the random search ended.
    """

    finalists: tuple[Route, ...]
    random_finalist: Route | None
    num_trials: int
    cost: dict[str, float]
    stop: Stop
    random_stop: Stop | None = None


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
            trials, spent, stop = _reinforce(context, known, spec, first, own)
        case SampledSearch():
            limits = budget_of(context, context.spec.budget)
            found = sampled(context, known, spec, limits, first=first, label="search", stretch=own)
            trials, spent, stop = found.trials, asdict(Spent.of(found.trials)), found.stop
    tell_stop(context, stop)
    finalists = _best_routes(context, trials, wanted, stop)
    first += len(trials)
    random_finalist, random_stop = None, None
    if compares:
        equal = max(1, round(spent["candidate_steps"] / (context.recipe.epochs * epoch_steps(context))))
        limits = budget_of(context, BudgetSpec(trials=equal))
        spec = SampledSearch(kind="random", generation=spec.generation if isinstance(spec, SampledSearch) else 16)
        random = sampled(context, known, spec, limits, first=first, label=RANDOM, stretch=WHOLE.part(0.5, 1))
        random_finalist = _best_routes(context, random.trials, 1, random.stop)[0]
        random_stop = random.stop
        first += len(random.trials)
    return Found(
        finalists=finalists,
        random_finalist=random_finalist,
        num_trials=first,
        cost=spent,
        stop=stop,
        random_stop=random_stop,
    )


def _wants_random(context: Context) -> bool:
    asked = context.spec.protocol.random_search
    return context.spec.protocol.level != "quick" if asked is None else asked


def _reinforce(
    context: Context, known: Baselines, spec: ReinforceSearch, first: int, stretch: Stretch
) -> tuple[list[Trial], dict[str, float], Stop]:
    """One pack of searches; its proposals become trials evaluated with inherited weights."""
    done = context.journal.checkpoint("search/reinforce")
    if done is not None:
        record: dict[str, Any] = json.loads(done)
        finished = {trial.number: trial for trial in context.journal.trials()}
        return [finished[number] for number in record["numbers"]], record["cost"], stop_from_json(record["stop"])
    recipe = replace(context.recipe, epochs=spec.epochs or context.recipe.epochs)
    limits = gradient_limits(context, searches=spec.searches, epochs=recipe.epochs)
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
            num_samples=min(SAMPLED, max(1, context.spec.budget.trials // spec.searches) - 1),
            most_steps=limits.most_steps,
            seconds=limits.seconds,
        ),
        tasks=context.tasks,
        recipe=recipe,
        device=context.device,
        resume=resumable(context, "search/reinforce"),
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
    stop = gradient_stop(limits, out_of_time=result.out_of_time)
    record = {"numbers": [trial.number for trial in trials], "cost": spent, "stop": stop.to_json()}
    context.journal.save_checkpoint("search/reinforce", json.dumps(record).encode())
    return trials, spent, stop


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


def _best_routes(context: Context, trials: Sequence[Trial], count: int, stop: Stop) -> tuple[Route, ...]:
    """Distinct routes: what searches derived first, then by the first objective."""
    objective = context.spec.objectives[0].to_objective()

    def rank(trial: Trial) -> tuple[bool, float]:
        value = trial.values.get(objective.metric, math.nan)
        return trial.label != "derived", math.inf if math.isnan(value) else -objective.signed(value)

    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not complete:
        reason = trials[0].failure if trials else f"no trial ({stop.detail})"
        raise SearchError(expected="at least one complete trial", found=str(reason), where="phase 'search'")
    distinct: dict[str, Route] = {}
    for trial in sorted(complete, key=rank):
        distinct.setdefault(trial.route_digest, trial.candidate.route)
    return tuple(distinct.values())[:count]
