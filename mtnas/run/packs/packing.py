"""Which planned trials train together in a pack, and which fit into no pack at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.errors import OutOfMemoryError
from mtnas.run.context import Context
from mtnas.run.packs.planned import Orders, Planned
from mtnas.training.recipe import Recipe
from mtnas.training_options import needs_lone_candidate


def packs_of(context: Context, planned: Sequence[Planned], orders: Orders) -> list[list[Planned]]:
    """Candidates that train together: of one shape and balancer, in their order, as many as memory and device suit.

    On processors none gets more than a fair share of them all, and the largest packs come first: whoever works in
    parallel ends at about the same time. (One GPU has its packs one after another, and wants them large.)
    """
    fair = -(-len(planned) // context.spec.resources.max_packs) if context.device == "cpu" else len(planned)
    groups: dict[tuple[str, str, bool, bool], list[Planned]] = {}
    for trial in planned:
        groups.setdefault((*_kind(context, trial), orders.keep_weights(trial), orders.as_member(trial)), []).append(
            trial
        )
    packs = []
    for group in groups.values():
        lone = needs_lone_candidate(recipe_of(context, group[0]).balancer)
        size = min(1 if lone else _size(context, group[0]), fair)
        packs += [group[i : i + size] for i in range(0, len(group), size)]
    return sorted(packs, key=lambda members: _work(context, members), reverse=True)


def recipe_of(context: Context, planned: Planned) -> Recipe:
    """How a candidate is trained: as the job says, with its own balancer if it has one."""
    return context.recipe.under(planned.candidate.settings)


def _kind(context: Context, planned: Planned) -> tuple[str, str]:
    """What the candidates of a pack have in common: their shape, and the balancer, which is made for a whole pack."""
    return planned.shape.digest, recipe_of(context, planned).balancer.model_dump_json()


def _size(context: Context, planned: Planned) -> int:
    """Candidates of a pack of this kind; some balancers keep a gradient per task."""
    return replace(context.sizing, recipe=recipe_of(context, planned)).size(planned.shape)


def _work(context: Context, members: Sequence[Planned]) -> int:
    """Multiply-accumulates of a row, of all candidates."""
    return len(members) * context.cost(members[0].graph, members[0].candidate.route).macs


def too_large(context: Context, planned: Sequence[Planned]) -> dict[int, str]:
    """Why candidates cannot be trained at all, by number."""
    reasons: dict[tuple[str, str], str | None] = {}
    kinds = [_kind(context, trial) for trial in planned]
    for trial, kind in zip(planned, kinds, strict=True):
        if kind not in reasons:
            try:
                _size(context, trial)
                reasons[kind] = None
            except OutOfMemoryError as error:
                reasons[kind] = str(error)
    found = {trial.number: reasons[kind] for trial, kind in zip(planned, kinds, strict=True)}
    return {number: reason for number, reason in found.items() if reason is not None}
