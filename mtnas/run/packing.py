"""Which planned trials train together in a pack, and which fit into no pack at all."""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import OutOfMemoryError
from mtnas.run.context import Context
from mtnas.run.planned import Orders, Planned
from mtnas.training_options import needs_lone_candidate


def packs_of(context: Context, planned: Sequence[Planned], orders: Orders) -> list[list[Planned]]:
    """Candidates that train together: of one shape, in their order, as many as the memory and the device suit.

    On processors none gets more than a fair share of them all, and the largest packs come first: whoever works in
    parallel ends at about the same time. (One GPU has its packs one after another, and wants them large.)
    """
    fair = -(-len(planned) // context.spec.resources.max_packs) if context.device == "cpu" else len(planned)
    groups: dict[tuple[str, bool], list[Planned]] = {}
    for trial in planned:
        groups.setdefault((trial.shape.digest, orders.keep_weights(trial)), []).append(trial)
    packs = []
    for group in groups.values():
        size = 1 if needs_lone_candidate(context.spec.training.balancer) else context.sizing.size(group[0].shape)
        size = min(size, fair)
        packs += [group[i : i + size] for i in range(0, len(group), size)]
    return sorted(packs, key=lambda members: _work(context, members), reverse=True)


def _work(context: Context, members: Sequence[Planned]) -> int:
    """Multiply-accumulates of a row, of all candidates."""
    return len(members) * context.cost(members[0].graph, members[0].candidate.route).macs


def too_large(context: Context, planned: Sequence[Planned]) -> dict[int, str]:
    """Why candidates cannot be trained at all, by number."""
    reasons: dict[str, str | None] = {}
    for trial in planned:
        shape = trial.shape
        if shape.digest not in reasons:
            try:
                context.sizing.size(shape)
                reasons[shape.digest] = None
            except OutOfMemoryError as error:
                reasons[shape.digest] = str(error)
    found = {trial.number: reasons[trial.shape.digest] for trial in planned}
    return {number: reason for number, reason in found.items() if reason is not None}
