"""Searches over shared weights in a job: packs of them, whose proposals become trials with inherited weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mtnas.routes import canonical_route, route_digest
from mtnas.routes.gate_settings import settings_in
from mtnas.run.context import Context
from mtnas.run.judging.figures import gains_on
from mtnas.run.packs.pack_events import PackFailed, SupernetResult
from mtnas.run.packs.pack_task import PackTask, SupernetWork
from mtnas.run.packs.progress import Stretch
from mtnas.run.phases.baselines import Baselines
from mtnas.run.phases.stopping import begun_in, gradient_limits, gradient_stop, resumable, stop_from_json
from mtnas.run.phases.tuning import settings
from mtnas.search import Stop
from mtnas.search.budgets.foreseen import num_sampled
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.training.searches.aim import Aim
from mtnas.trials import Candidate, Evaluation, Trial, TrialState


def search_with_shared_weights(
    context: Context, known: Baselines, spec: SharedWeightsSearch, first: int, stretch: Stretch
) -> tuple[list[Trial], dict[str, float], Stop]:
    """Run the searches in one pack; give their proposals as trials, what they cost, and why they ended.

    Args:
        context: the job.
        known: the baselines, for the learning rate of the weights and for gains.
        spec: what to search with.
        first: number of the first trial.
        stretch: what share of the phase this is.

    Raises:
        MtnasError: why the pack failed.
    """
    kind: str = spec.kind  # type: ignore[attr-defined]
    name = f"search/{kind}"
    done = context.journal.checkpoint(name)
    if done is not None:
        record: dict[str, Any] = json.loads(done)
        finished = {trial.number: trial for trial in context.journal.trials()}
        return [finished[number] for number in record["numbers"]], record["cost"], stop_from_json(record["stop"])
    recipe = replace(context.recipe, epochs=spec.epochs or context.recipe.epochs)
    base = settings(context, lr=known.typical_lr, seed=0)
    of_seeds = [replace(base, seed=base.seed + n, data_seed=base.data_seed + n) for n in range(spec.searches)]
    pairs = [
        (variant, replace(of_seed, gate={**of_seed.gate, **variant.gate}))
        for variant in spec.variants()
        for of_seed in of_seeds
    ]
    num_samples = num_sampled(spec, trials=context.spec.budget.trials)
    resume = resumable(context, name)
    limits = gradient_limits(context, spec, epochs=recipe.epochs, num_samples=num_samples, begun=begun_in(resume))
    task = PackTask(
        key=name,
        work=SupernetWork(
            space=context.space,
            settings=tuple(of_search for _, of_search in pairs),
            searches=tuple(variant for variant, _ in pairs),
            num_samples=num_samples,
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
    stop = gradient_stop(limits, out_of_time=result.out_of_time)
    record = {"numbers": [trial.number for trial in trials], "cost": spent, "stop": stop.to_json()}
    context.journal.save_checkpoint(name, json.dumps(record).encode())
    return trials, spent, stop


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
                    label="derived" if proposal.derived else "sampled",
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
