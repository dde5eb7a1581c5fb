"""Packs hold as many candidates as memory and device suit; a candidate that does not fit says by how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtnas.data import DataAccess, EncodedData, load
from mtnas.errors import OutOfMemoryError, SearchError
from mtnas.routes import InputShape, RouteGraph
from mtnas.run import MemoryJournal
from mtnas.run.packs.pack_events import PackEvent
from mtnas.run.packs.pack_task import PackTask
from mtnas.run.packs.sizing import CPU_ROWS, GPU_SIZE, Sizing, data_bytes, streams
from mtnas.spec import ResourcesSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.pack_memory import MIB
from mtnas.training.recipe import Recipe
from search_spaces import build
from tests.run.jobs import SAMPLED, SMALL, EagerExecutor, run, spec_of, timeless, timeless_trials

TASKS = tuple(Task(name=f"t{t}", kind=TaskKind.BINARY, label=f"t{t}", tower=(4,)) for t in range(2))


def sizing(*, device: str = "cpu", batch_size: int = 1024, own_rows: bool = False, **resources: Any) -> Sizing:
    return Sizing(
        resources=ResourcesSpec(**resources),
        device=device,
        inputs=InputShape(num_numeric=16),
        tasks=TASKS,
        recipe=Recipe(batch_size=batch_size, own_rows=own_rows),
        evaluated_rows=1000,
        data_bytes=0,
    )


def graph(width: int = 8) -> RouteGraph:
    return build("mtnas", TASKS, {"layers": 2, "subnets": 4, "width": width}).graph


def test_a_cpu_gets_as_many_rows_in_a_step_as_its_cache_likes() -> None:
    sizes = {rows: sizing(batch_size=rows).size(graph()) for rows in (64, 256, 1024, 4096, 100_000)}
    assert sizes == {64: 16, 256: 16, 1024: CPU_ROWS // 1024, 4096: 2, 100_000: 2}
    assert sizing(batch_size=512, own_rows=True).size(graph()) == sizing(batch_size=1024).size(graph())


def test_a_gpu_gets_many() -> None:
    assert sizing(device="cuda").size(graph()) == GPU_SIZE


def test_memory_bounds_what_the_device_likes_and_what_the_user_wants() -> None:
    for wanted in ({}, {"pack_size": 500}):
        found = sizing(device="cuda", memory_mib=64, batch_size=4096, **wanted)
        size, memory = found.size(graph(64)), found.memory(graph(64))
        assert 1 <= size < GPU_SIZE
        assert size * memory.per_candidate <= 64 * MIB < (size + 1) * memory.per_candidate
        beside_data = replace(found, data_bytes=64 * MIB - memory.per_candidate)
        assert beside_data.size(graph(64)) == 1


def test_the_user_may_want_fewer() -> None:
    assert sizing(pack_size=3).size(graph()) == 3


def test_a_candidate_that_does_not_fit_says_what_it_takes() -> None:
    found = sizing(memory_mib=64)
    needed = -(-found.memory(graph(1024)).per_candidate // MIB)
    with pytest.raises(OutOfMemoryError, match=rf"fits into 64 MiB .* {needed} MiB for one candidate") as caught:
        found.size(graph(1024))
    assert caught.value.where == "resources.memory_mib"


def test_a_job_whose_networks_do_not_fit_ends_with_the_reason(access: DataAccess) -> None:
    journal = MemoryJournal()
    space = {"name": "mtnas", "options": {"layers": 2, "subnets": 2, "width": 2048}}
    with pytest.raises(SearchError, match=r"resources\.memory_mib.* MiB for one candidate"):
        run(spec_of(base=SMALL, space=space, resources={"memory_mib": 64}), journal, access)
    assert journal.trials()


@pytest.fixture(scope="module")
def data(access: DataAccess) -> EncodedData:
    spec = spec_of(base=SMALL)
    return load(spec.data, [task.to_task() for task in spec.tasks], access=access)


class TestData:
    def test_what_takes_more_than_half_of_the_memory_is_streamed(self, data: EncodedData) -> None:
        assert not streams(data, ResourcesSpec(memory_mib=64))
        copies = 32 * MIB // (4 * data.numeric.size) + 1
        large = replace(
            data,
            **{
                name: np.tile(getattr(data, name), (copies, 1))
                for name in ("numeric", "categorical", "images", "labels")
            },
        )
        assert streams(large, ResourcesSpec(memory_mib=64))
        assert not streams(large, ResourcesSpec(memory_mib=256))

    def test_the_user_may_decide(self, data: EncodedData) -> None:
        assert streams(data, ResourcesSpec(data="streamed"))
        assert not streams(data, ResourcesSpec(data="resident", memory_mib=64))

    def test_streamed_rows_leave_more_room(self, data: EncodedData) -> None:
        assert data_bytes(data, streamed=True) < data_bytes(data, streamed=False) == data.num_bytes

    @pytest.mark.parametrize("base", [SMALL, SAMPLED], ids=["reinforce", "sampled"])
    def test_a_job_gives_the_same_answer_from_the_cache(self, base: dict[str, Any], access: DataAccess) -> None:
        journals, reports, asked = [MemoryJournal(), MemoryJournal()], [], list[bool]()

        class Listening(EagerExecutor):
            def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
                asked.extend(task.streamed for task in tasks)
                return super().run(tasks, data)

        for kind, journal in zip(("resident", "streamed"), journals, strict=True):
            asked.clear()
            reports.append(run(spec_of(base=base, resources={"data": kind}), journal, access, Listening()))
            assert set(asked) == {kind == "streamed"}
        assert timeless_trials(journals[0].trials()) == timeless_trials(journals[1].trials())
        one, two = (
            {name: value for name, value in timeless(report).items() if name != "provenance"} for report in reports
        )
        assert one == two

    def test_trees_which_need_all_rows_at_once_are_left_out_with_a_warning(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        wanted = {"protocol": SMALL["protocol"] | {"boosted_trees": True}, "resources": {"data": "streamed"}}
        report = run(spec_of(base=SMALL, **wanted), journal, access)
        assert "boosted_trees" not in {row["label"] for row in report["rows"]}
        assert any("rows that are streamed" in payload["text"] for kind, payload in journal.events if kind == "warning")
