"""What becomes of planned trials: they are packed and run, a pack that does not fit as two of half its size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from mtnas.errors import LostActorError, OutOfMemoryError
from mtnas.run.context import Context
from mtnas.run.packs.pack_checkpoint import cut
from mtnas.run.packs.pack_events import Outcome, PackFailed, TrainResult
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.run.packs.packing import packs_of, recipe_of, too_large
from mtnas.run.packs.planned import Orders, Planned, pack_key
from mtnas.run.packs.progress import WHOLE, Stretch
from mtnas.trials import Place


def outcomes(
    context: Context,
    planned: Sequence[Planned],
    orders: Orders,
    stretch: Stretch = WHOLE,
    *,
    until: int | None = None,
    done: Collection[int] = (),
) -> Iterator[list[tuple[Planned, Outcome, Place | None]]]:
    """What became of candidates, pack by pack as they end; every pack goes on from its checkpoint if it has one.

    Args:
        context: the job.
        planned: the candidates.
        orders: how to train them.
        stretch: what share of the phase this is.
        until: the step of a rung to stop at; their states are then checkpoints under their packs' keys.
        done: numbers of those that have ended before. They are left out, but counted when packs are made: so a
            second attempt has the packs of the first, and their results to the last bit.
    """
    context.timed.learn(context.journal.trials())
    reasons = too_large(context, planned)
    unfit = [member for member in planned if member.number in reasons and member.number not in done]
    if unfit:
        yield [(member, Outcome(failure=reasons[member.number]), None) for member in unfit]
    packs = packs_of(context, [member for member in planned if member.number not in reasons], orders)
    left = [[member for member in members if member.number not in done] for members in packs]
    waiting = {pack_key(members, until): members for members in left if members}
    meter = context.runs.meter(len(waiting), stretch)
    while waiting:
        tasks = [_task(context, key, members, orders, until) for key, members in waiting.items()]
        members_of, waiting = waiting, {}
        numbers = {key: [member.number for member in members] for key, members in members_of.items()}
        for result in context.runs.run(tasks, meter, trials=numbers):
            members = members_of[result.key]
            if isinstance(result, TrainResult):
                places = [result.place] * len(members)
                yield list(zip(members, result.outcomes, places, strict=True))
            elif isinstance(result, PackFailed):
                if isinstance(result.error, OutOfMemoryError) and len(members) > 1:
                    waiting |= _halves(context, result.key, members, until)
                    meter.split(2)
                else:
                    failed = Outcome(failure=str(result.error), lost=isinstance(result.error, LostActorError))
                    yield [(member, failed, result.place) for member in members]


def _task(context: Context, key: str, members: Sequence[Planned], orders: Orders, until: int | None) -> PackTask:
    base = context.base if members[0].graph == context.space.graph else None  # not for baselines
    work = TrainWork(
        graph=members[0].shape,
        candidates=tuple(member.candidate for member in members),
        parts=orders.parts,
        evaluate_on=orders.evaluate_on,
        keep_weights=orders.keep_weights(members[0]) or orders.as_member(members[0]),
        keep_outputs=orders.as_member(members[0]),
        until=until,
        timing=context.timed.timing([member.running().route_digest for member in members]),
        trained=None if base is None else base.trained,
    )
    return PackTask(
        key=key,
        work=work,
        tasks=context.tasks,
        recipe=recipe_of(context, members[0]),
        device=context.device,
        stop_at=orders.stop_at,
    )


def _halves(context: Context, key: str, members: Sequence[Planned], until: int | None) -> dict[str, list[Planned]]:
    """Two packs for one that did not fit, which go on from where it was."""
    state, middle = context.journal.checkpoint(f"pack/{key}"), len(members) // 2
    halves: dict[str, list[Planned]] = {}
    for places in (range(middle), range(middle, len(members))):
        half = [members[place] for place in places]
        half_key = pack_key(half, until)
        halves[half_key] = half
        if state is not None and context.journal.checkpoint(f"pack/{half_key}") is None:
            context.runs.save(half_key, cut([(state, places)]))
    context.runs.forget([key])
    return halves
