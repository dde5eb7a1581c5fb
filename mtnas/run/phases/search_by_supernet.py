"""Searches over shared weights in a job: packs of them, whose proposals become trials with inherited weights."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from mtnas.routes import canonical_route, route_digest
from mtnas.routes.gate_settings import settings_in
from mtnas.run.context import Context
from mtnas.run.judging.figures import gains_on
from mtnas.run.packs.pack_events import PackFailed, SupernetResult
from mtnas.run.packs.pack_task import PackTask, SupernetWork
from mtnas.run.packs.progress import Stretch
from mtnas.run.phases.baselines import Baselines
from mtnas.run.phases.screening import num_screened, screened
from mtnas.run.phases.search_by_trials import epoch_steps, repeated
from mtnas.run.phases.stopping import begun_in, gradient_limits, gradient_stop, resumable, stop_from_json
from mtnas.run.phases.tuning import settings
from mtnas.search import Spent, Stop
from mtnas.search.budgets.foreseen import YARDSTICK, num_sampled
from mtnas.search.known_schemes import known_schemes
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.training.searches.aim import Aim
from mtnas.training.searches.supernet_search import DERIVED, KNOWN
from mtnas.trials import Candidate, Evaluation, Trial, TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSearch:
    """What searches over shared weights have found.

    Attributes:
        trials: proposals, with the figures of inherited weights, then those that were screened.
        spent: candidate-steps and device-seconds.
        stop: why they ended.
        entropies: of every search, from its start to its end, in nats.
        better_than_random: share of random routes that the first derived route beats under the shared weights, by the
            job's first objective; None where they were not looked at.
    """

    trials: list[Trial]
    spent: dict[str, float]
    stop: Stop
    entropies: tuple[tuple[float, ...], ...]
    better_than_random: float | None


def search_with_shared_weights(
    context: Context, known: Baselines, spec: SharedWeightsSearch, first: int, stretch: Stretch, *, repeat: int = 0
) -> SharedSearch:
    """Run the searches in one pack, and train alone what they propose.

    Args:
        context: the job.
        known: the baselines, for the learning rate of the weights and for gains.
        spec: what to search with.
        first: number of the first trial.
        stretch: what share of the phase this is.
        repeat: which of several independent searches.

    Raises:
        MtnasError: why the pack failed.
    """
    count = num_screened(context, spec)
    share = stretch.part(0, 0.7 if count else 1)
    proposed = _proposed(context, known, spec, first, share, num_screened=count, repeat=repeat)
    begin = first + len(proposed.trials)
    trained = screened(context, known, proposed.trials, count, first=begin, stretch=stretch.part(0.7, 1))
    of_screening = asdict(Spent.of(trained))
    spent = {name: value + of_screening[name] for name, value in proposed.spent.items()}
    return replace(proposed, trials=[*proposed.trials, *trained], spent=spent)


def _proposed(
    context: Context,
    known: Baselines,
    spec: SharedWeightsSearch,
    first: int,
    stretch: Stretch,
    *,
    num_screened: int,
    repeat: int,
) -> SharedSearch:
    """Run the searches in one pack; their proposals as trials."""
    kind: str = spec.kind  # type: ignore[attr-defined]
    name = repeated(f"search/{kind}", repeat)
    done = context.journal.checkpoint(name)
    if done is not None:
        record: dict[str, Any] = json.loads(done)
        finished = {trial.number: trial for trial in context.journal.trials()}
        return SharedSearch(
            trials=[finished[number] for number in record["numbers"]],
            spent=record["cost"],
            stop=stop_from_json(record["stop"]),
            entropies=tuple(tuple(of_search) for of_search in record["entropies"]),
            better_than_random=record["better_than_random"],
        )
    recipe = replace(context.recipe, epochs=epochs_of(context, spec))
    base = settings(context, lr=known.typical_lr, seed=repeat * spec.searches)
    of_seeds = [replace(base, seed=base.seed + n, data_seed=base.data_seed + n) for n in range(spec.searches)]
    pairs = [
        (variant, replace(of_seed, gate={**of_seed.gate, **variant.gate}))
        for variant in spec.variants()
        for of_seed in of_seeds
    ]
    num_samples = num_sampled(spec, trials=context.spec.budget.trials)
    resume = resumable(context, name)
    room = max(context.spec.budget.trials - spec.num_searches * (1 + num_samples), 0)
    schemes = {
        f"{KNOWN}{name}": route for name, route in list(known_schemes(context.space, known.task_groups).items())[:room]
    }
    limits = gradient_limits(
        context,
        spec,
        epochs=recipe.epochs,
        num_samples=num_samples,
        num_others=len(schemes) + YARDSTICK,
        num_screened=num_screened,
        begun=begun_in(resume),
    )
    task = PackTask(
        key=name,
        work=SupernetWork(
            space=context.space,
            settings=tuple(of_search for _, of_search in pairs),
            searches=tuple(variant for variant, _ in pairs),
            num_samples=num_samples,
            known=schemes,
            num_random=YARDSTICK,
            groups=known.task_groups,
            most_steps=limits.most_steps,
            seconds=limits.seconds,
            aim=Aim(
                objectives=tuple(objective.to_objective() for objective in context.spec.objectives),
                reference=known.reference["search"],
            ),
        ),
        tasks=context.tasks,
        recipe=recipe,
        device=context.device,
        resume=resume,
    )
    (result,) = context.runs.execute([task], stretch=stretch)
    if isinstance(result, PackFailed):
        raise result.error
    assert isinstance(result, SupernetResult)
    context.journal.add_graphs({context.space.graph.digest: context.space.graph.to_json()})
    trials = _proposed_trials(context, known, task, result, first)
    context.journal.add_trials([replace(trial, state=TrialState.RUNNING) for trial in trials])
    context.finish_trials(trials)
    spent = {"candidate_steps": result.candidate_steps, "device_seconds": result.seconds}
    stop = gradient_stop(limits, out_of_time=result.out_of_time, settled_after=result.steps if result.settled else None)
    found = SharedSearch(
        trials=trials,
        spent=spent,
        stop=stop,
        entropies=result.entropies,
        better_than_random=_better_than_random(context, known, trials[0], result),
    )
    record = {
        "numbers": [trial.number for trial in trials],
        "cost": spent,
        "stop": stop.to_json(),
        "entropies": result.entropies,
        "better_than_random": found.better_than_random,
    }
    context.journal.save_checkpoint(name, json.dumps(record).encode())
    return found


def epochs_of(context: Context, spec: SharedWeightsSearch) -> int:
    """Passes of the shared weights over ``train``: the specification's, else enough for the steps that it needs."""
    if spec.epochs is not None:
        return spec.epochs
    return max(context.recipe.epochs, math.ceil(spec.least_weight_steps / epoch_steps(context)))


def _better_than_random(context: Context, known: Baselines, derived: Trial, result: SupernetResult) -> float | None:
    """Share of the random routes that the derived one beats under the same weights; ties count half."""
    objective = context.spec.objectives[0].to_objective()
    evaluated = [Evaluation(part="search", per_task=metrics) for metrics in result.yardstick]
    random = [gains_on("search", context.tasks, (one,), known.reference["search"]) for one in evaluated]
    own = derived.values.get(objective.metric, math.nan)
    others = [figures.get(objective.metric, math.nan) for figures in random]
    if derived.label != DERIVED or not others or math.isnan(own) or any(math.isnan(other) for other in others):
        return None
    signed = [objective.signed(own) - objective.signed(other) for other in others]
    return fmean(1.0 if difference > 0 else 0.5 if difference == 0 else 0.0 for difference in signed)


def _proposed_trials(
    context: Context, known: Baselines, task: PackTask, result: SupernetResult, first: int
) -> list[Trial]:
    assert isinstance(task.work, SupernetWork)
    graph, trials = context.space.graph, list[Trial]()
    own = settings_in(graph)
    of_each: Sequence[Any] = list(zip(result.proposals, task.work.settings, task.work.searches, strict=True))
    for proposals, used, variant in of_each:
        told = replace(used, gate={name: value for name, value in used.gate.items() if name in own})
        for proposal in proposals:
            route = canonical_route(graph, proposal.route)
            found = context.cost(graph, route)
            costs = {"num_params": float(found.num_params), "macs": float(found.macs)}
            evaluation = Evaluation(part="search", per_task=proposal.inherited, costs=costs)
            figures = gains_on("search", context.tasks, (evaluation,), known.reference["search"])
            varied = {name: getattr(variant, name) for name in context.spec.search.vary}  # type: ignore[union-attr]
            trials.append(
                Trial(
                    number=first + len(trials),
                    phase="search",
                    label=proposal.origin,
                    candidate=Candidate(route=route, settings=told),
                    state=TrialState.COMPLETE,
                    graph_digest=graph.digest,
                    route_digest=route_digest(graph, route),
                    evaluations=(evaluation,),
                    values=figures | costs,
                    place=result.place,
                    notes={"weights": "inherited"} | ({"search": varied} if varied else {}),
                )
            )
    return trials
