"""Successive halving of a generation: all its packs train to a rung, the best of the generation go on together."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtnas.run.context import Context
from mtnas.run.packs.outcomes import outcomes
from mtnas.run.packs.pack_checkpoint import cut
from mtnas.run.packs.packing import packs_of
from mtnas.run.packs.planned import Orders, Planned, pack_key
from mtnas.run.packs.progress import WHOLE, Stretch
from mtnas.run.packs.train_planned import announce, train, trial_of
from mtnas.search.budgets.halving_plan import Rung, candidate_steps, rungs, survivors
from mtnas.search.history import signed_values
from mtnas.search.specs.search_spec import HalvingSpec
from mtnas.tasks import Objective
from mtnas.training.feeding.task_batches import steps_per_epoch
from mtnas.trials import Trial, TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When a generation is judged, and by what.

    Attributes:
        rungs: their steps are steps at which candidates are looked at anyway, so that halving changes nothing about
            the training of those who survive.
        max_steps: of a candidate that is never dropped.
        objectives: whose values on the part that judges decide.
    """

    rungs: tuple[Rung, ...]
    max_steps: int
    objectives: tuple[Objective, ...]


def train_generation(
    context: Context, planned: Sequence[Planned], orders: Orders, halving: HalvingSpec | None, *, stretch: Stretch
) -> list[Trial]:
    """The finished trials of a generation, by halving if so asked; all of them may have failed."""
    if halving is None:
        return train(
            context,
            planned,
            parts=orders.parts,
            evaluate_on=orders.evaluate_on,
            values=orders.values,
            stretch=stretch,
            may_all_fail=True,
            stop_at=orders.stop_at,
        )
    plan = plan_halving(context, halving, num_candidates=len(planned), parts=orders.parts)
    return train_by_halving(context, planned, orders, plan, stretch=stretch)


def plan_halving(context: Context, halving: HalvingSpec, *, num_candidates: int, parts: Sequence[str]) -> Plan:
    """The rungs of a generation of so many candidates."""
    recipe = context.recipe
    in_epoch = steps_per_epoch(context.data, own_rows=recipe.own_rows, parts=parts, batch_size=recipe.batch_size)
    max_steps, every = recipe.epochs * in_epoch, recipe.evaluate_every or in_epoch
    num_looks, first = -(-max_steps // every), max(1, math.ceil(halving.min_epochs * in_epoch / every))
    in_looks = rungs(
        num_candidates=num_candidates, max_steps=num_looks, min_steps=min(first, num_looks), reduction=halving.reduction
    )
    return Plan(
        rungs=tuple(Rung(steps=rung.steps * every, keep=rung.keep) for rung in in_looks),
        max_steps=max_steps,
        objectives=tuple(objective.to_objective() for objective in context.spec.objectives),
    )


def train_by_halving(
    context: Context,
    planned: Sequence[Planned],
    orders: Orders,
    plan: Plan,
    *,
    stretch: Stretch = WHOLE,
) -> list[Trial]:
    """As ``trained.train``, but candidates that are not among the best of all at a rung end there, as pruned trials.

    The candidates are judged together whatever packs they are in, so who survives depends on nothing but the
    specification. Survivors of one shape are packed anew after every rung. Everything is written down at rungs: who
    went on, and the states of the packs they go on in. All candidates may fail.
    """
    announce(context, [p for p in planned if p.number not in {trial.number for trial in context.journal.trials()}])
    name = f"halving/{planned[0].phase}/{planned[0].number}+{len(planned)}"
    done, alive = _resumed(context, name, planned)
    whole = candidate_steps(plan.rungs, num_candidates=len(planned), max_steps=plan.max_steps)
    for number, rung in enumerate(plan.rungs):
        if number < done or not alive:
            continue
        share = stretch.part(_spent(plan, planned, number) / whole, _spent(plan, planned, number + 1) / whole)
        alive, left = _to_rung(context, alive, orders, plan, number, of=len(planned), stretch=share)
        context.journal.save_checkpoint(name, _record(number + 1, alive))
        context.runs.forget(left)
        context.journal.event("rung", {"step": rung.steps, "alive": [member.number for member in alive]})
    if alive:
        share = stretch.part(_spent(plan, planned, len(plan.rungs)) / whole, 1)
        _to_the_end(context, alive, orders, share)
    finished = {trial.number: trial for trial in context.journal.trials()}
    return [finished[p.number] for p in planned]


def _to_rung(
    context: Context,
    alive: Sequence[Planned],
    orders: Orders,
    plan: Plan,
    number: int,
    *,
    of: int,
    stretch: Stretch,
) -> tuple[list[Planned], list[str]]:
    """Train to a rung, end the trials that do not go on, and prepare the packs of those that do.

    Returns:
        Who goes on, and the packs that they leave.
    """
    rung = plan.rungs[number]
    states: dict[int, tuple[str, int]] = {}
    trials: dict[int, Trial] = {}
    for ended in outcomes(context, alive, orders, stretch, until=rung.steps):
        key = pack_key([member for member, _, _ in ended], rung.steps)
        for place, (member, outcome, where) in enumerate(ended):
            states[member.number] = key, place
            trials[member.number] = trial_of(context, member, outcome, where, orders.values)
    judged = [trials[member.number] for member in alive]
    scores = np.array([signed_values(trial, plan.objectives) for trial in judged], dtype=np.float64)
    chosen = [alive[place] for place in survivors(scores, keep=rung.keep)]
    going = {member.number for member in chosen}
    note = {"rung": number + 1, "of_rungs": len(plan.rungs), "step": rung.steps, "max_steps": plan.max_steps}
    note |= {"alive": len(alive), "kept": len(chosen), "started": of}
    context.finish_trials([_pruned(trial, note) for trial in judged if trial.number not in going])
    following = plan.rungs[number + 1].steps if number + 1 < len(plan.rungs) else None
    for members in packs_of(context, chosen, orders):
        pieces: list[tuple[str, list[int]]] = []  # in the order of the members, whatever packs they come from
        for member in members:
            key, place = states[member.number]
            if not pieces or pieces[-1][0] != key:
                pieces.append((key, []))
            pieces[-1][1].append(place)
        found = [(context.journal.checkpoint(f"pack/{key}"), places) for key, places in pieces]
        whole = [(state, places) for state, places in found if state is not None]
        if len(whole) == len(found):  # else they train from the start again, to the same result
            context.runs.save(pack_key(members, following), cut(whole))
    return chosen, [key for key, _ in states.values()]


def _to_the_end(context: Context, alive: Sequence[Planned], orders: Orders, stretch: Stretch) -> None:
    finished = {trial.number for trial in context.journal.trials()}
    for ended in outcomes(context, alive, orders, stretch, done=finished):
        context.finish_trials([trial_of(context, *end, orders.values) for end in ended])
        context.runs.forget([pack_key([member for member, _, _ in ended])])


def _pruned(trial: Trial, note: dict[str, int]) -> Trial:
    """A trial that was judged and does not go on; one that failed stays a failure."""
    if trial.state is TrialState.FAILED:
        return trial
    return replace(trial, state=TrialState.PRUNED, notes=dict(trial.notes) | {"pruned": note})


def _spent(plan: Plan, planned: Sequence[Planned], num_rungs: int) -> int:
    """Candidate-steps up to the end of so many rungs."""
    before = plan.rungs[:num_rungs]
    return candidate_steps(before[:-1], num_candidates=len(planned), max_steps=before[-1].steps) if before else 0


def _record(num_rungs: int, alive: Sequence[Planned]) -> bytes:
    return json.dumps({"rungs": num_rungs, "alive": [member.number for member in alive]}).encode()


def _resumed(context: Context, name: str, planned: Sequence[Planned]) -> tuple[int, list[Planned]]:
    """Rungs that were passed before an interruption, and who went on from them."""
    saved = context.journal.checkpoint(name)
    if saved is None:
        return 0, list(planned)
    record = json.loads(saved)
    alive = set(record["alive"])
    return record["rungs"], [member for member in planned if member.number in alive]
