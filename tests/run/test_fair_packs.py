"""How candidates are shared out: everybody who works in parallel has something to do until about the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtnas.data import DataAccess, EncodedData
from mtnas.run import MemoryJournal
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent
from mtnas.run.packs.pack_task import PackTask, TrainWork
from tests.run.jobs import SAMPLED, run, size_of, spec_of


class Watching:
    """Notes the sizes of the packs of every call."""

    def __init__(self) -> None:
        self.sizes: list[list[int]] = []

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        if tasks and tasks[0].key.startswith("search/"):
            self.sizes.append([size_of(task) for task in tasks])
        for task in tasks:
            yield from execute(task, data)
        assert all(isinstance(task.work, TrainWork) for task in tasks)


def sizes(access: DataAccess, *, max_packs: int) -> list[list[int]]:
    watching = Watching()
    resources = {"max_packs": max_packs, "pack_size": 64, "device": "cpu"}
    search = {"kind": "random", "generation": 12}
    run(
        spec_of(base=SAMPLED, search=search, budget={"trials": 24}, resources=resources),
        MemoryJournal(),
        access,
        watching,
    )
    return watching.sizes


def test_no_pack_has_more_than_its_share_of_a_generation(access: DataAccess) -> None:
    for max_packs in (1, 3, 12):
        for generation in sizes(access, max_packs=max_packs):
            assert sum(generation) == 12
            assert max(generation) <= 12 // max_packs


def test_large_packs_come_first(access: DataAccess) -> None:
    generations = sizes(access, max_packs=2)
    assert any(len(set(generation)) > 1 for generation in generations), "packs of one size prove nothing"
    for generation in generations:
        assert generation[0] == max(generation)
