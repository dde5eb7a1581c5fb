"""A pack of searches over shared weights, from its start or its checkpoint to their proposals."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mtnas.data import EncodedData
from mtnas.errors import DivergedError
from mtnas.run.packs.pack_checkpoint import resumed, state_of
from mtnas.run.packs.pack_events import PackCheckpoint, PackEvent, PackProgress, SupernetResult
from mtnas.run.packs.pack_task import PackTask, SupernetWork, rows_for
from mtnas.training.searches.make_search import make_search
from mtnas.training.searches.shared_supernet import Ground
from mtnas.trials import Place


def search_pack(task: PackTask, work: SupernetWork, data: EncodedData, place: Place) -> Iterator[PackEvent]:
    """The events between the pack's start and its end, which is the last of them.

    Raises:
        DivergedError: no search is left with finite weights.
    """
    started = time.monotonic()
    ground = Ground(
        space=work.space,
        inputs=data.inputs,
        settings=work.settings,
        tasks=task.tasks,
        data=rows_for(task, data),
        recipe=task.recipe,
        most_steps=work.most_steps,
        aim=work.aim,
        groups=work.groups,
    )
    searcher = make_search(ground, work.searches)
    _, spent = resumed(task, searcher)
    charged = searcher.candidate_steps
    saved, out_of_time = time.monotonic(), False
    for pulse in searcher.run():
        if not bool(pulse.entropy.isfinite().any()):
            break
        seconds = float(spent) + time.monotonic() - started
        out_of_time = work.seconds is not None and seconds >= work.seconds and pulse.step < pulse.total_steps
        if out_of_time:
            break
        yield PackProgress(
            key=task.key,
            step=pulse.step,
            total_steps=pulse.total_steps,
            candidate_steps=searcher.candidate_steps - charged,
            seconds=float(spent) + time.monotonic() - started,
        )
        if time.monotonic() - saved > task.checkpoint_every_s and pulse.step < pulse.total_steps:
            yield PackCheckpoint(key=task.key, state=state_of(searcher, spent, started))
            saved = time.monotonic()
    if work.seconds is not None or work.most_steps is not None:
        # What ends early may be extended, and then goes on from here.
        yield PackCheckpoint(key=task.key, state=state_of(searcher, spent, started))
    proposals = searcher.proposals(work.num_samples, work.known)
    if not any(proposals):
        raise DivergedError(expected="a search with finite weights", found="none", where=f"pack {task.key!r}")
    yield SupernetResult(
        key=task.key,
        place=place,
        proposals=tuple(tuple(of_search) for of_search in proposals),
        yardstick=tuple(searcher.yardstick(work.num_random)),
        entropies=tuple(tuple(of_search) for of_search in searcher.entropies.T.tolist()),
        steps=searcher.step,
        settled=searcher.is_settled and searcher.step < searcher.total_steps,
        candidate_steps=searcher.candidate_steps,
        seconds=float(spent) + time.monotonic() - started,
        out_of_time=out_of_time,
    )
