"""Packs on two nodes: shares of a GPU, data that travels once, and a node that dies in the middle of a search."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import search_spaces
from mtnas.data import DataAccess, EncodedData
from mtnas.errors import TrainingError
from mtnas.run import InProcessExecutor, MemoryJournal, run_job
from mtnas.run.packs.pack_events import PackCheckpoint, PackEvent, PackProgress, PackStarted, TrainResult
from mtnas.run.packs.pack_task import PackTask
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec, ResourcesSpec
from mtnas.trials import TrialState
from tests.lean import NO_MODELS
from tests.workers.nodes import Nodes, two_nodes
from tests.workers.packs import pack, planted

if TYPE_CHECKING:
    from workers.ray.actor_pool import ActorPool
    from workers.ray.ray_executor import RayExecutor

SPEC: dict[str, Any] = {
    "name": "two nodes",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 1200, "num_tasks": 2, "dims": 8}}},
    "tasks": [{"name": f"t{n}", "kind": "regression", "label": f"task_{n}", "tower": [8]} for n in range(2)],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
    "search": {"kind": "evolution", "generation": 4, "halving": {"reduction": 2, "min_epochs": 6}},
    "training": {"batch_size": 16, "epochs": 14, "lr": 0.01, "evaluate_every": 20},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "seeds": 1,
        "finalists": 1,
        "baselines": ["shared_bottom"],
    },
    "budget": {"trials": 6},
    "resources": {"pack_size": 1, "max_packs": 2},
    "export": {"top": 0},
}


@pytest.fixture(scope="module")
def nodes(ray_token: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with two_nodes(tmp_path_factory.mktemp("home"), cpus=3, gpus=1) as found:
        yield found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EncodedData:
    return planted(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def pool(nodes: Nodes) -> "ActorPool":
    from workers.ray.actor_pool import ActorPool

    return ActorPool(wait_s=20)


def _executor(pool: "ActorPool", *, num_gpus: float, max_packs: int = 4) -> "RayExecutor":
    from workers.ray.ray_executor import RayExecutor

    return RayExecutor(pool, max_packs=max_packs, num_gpus=num_gpus, check=lambda: None)


def _most_at_once(events: Sequence[PackEvent]) -> int:
    """How many packs ran at one time."""
    running, most = 0, 0
    for event in events:
        running += isinstance(event, PackStarted) - isinstance(event, TrainResult)
        most = max(most, running)
    return most


def test_room_is_counted_node_by_node_and_gpu_by_gpu(ray_token: Path) -> None:
    from workers.ray.room import ActorSize, room

    nodes = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 3.0, "GPU": 1.0}, {"CPU": 1.5}, {"memory": 1.0}]
    assert room(ActorSize(), nodes) == 8 + 3 + 1
    shares = {1.0: 2 + 1, 0.5: 4 + 2, 0.4: 4 + 2, 0.25: 8 + 3, 1 / 3: 6 + 3}
    assert {share: room(ActorSize(num_gpus=share), nodes) for share in shares} == shares


def test_the_device_is_the_gpu_that_ray_assigned_as_torch_counts_it(
    ray_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from workers.ray.pack_actor import own_device

    assert own_device("cpu", [], None, node="n") == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match=r"node n: expected a GPU that torch can use, found none .*='3'"):
            own_device("cuda", [3], "3", node="n")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert own_device("cuda", ["3"], "3", node="n") == "cuda:0"
    assert own_device("cuda", [5], "4,5", node="n") == "cuda:1", "where Ray was told to hide nothing"


@pytest.mark.parametrize(("num_gpus", "max_packs", "at_once"), [(1 / 3, 8, 3), (1 / 3, 2, 2), (1.0, 8, 1)])
def test_packs_share_a_gpu_as_far_as_their_shares_go(
    pool: "ActorPool", nodes: Nodes, data: EncodedData, num_gpus: float, max_packs: int, at_once: int
) -> None:
    executor = _executor(pool, num_gpus=num_gpus, max_packs=max_packs)
    list(executor.run([pack(f"warm-{n}") for n in range(at_once)], data))
    events = list(executor.run([pack(f"p{n}", epochs=20) for n in range(at_once + 1)], data))
    assert _most_at_once(events) == at_once
    places = [event.place for event in events if isinstance(event, PackStarted)]
    assert {place.node.rpartition("/")[2] for place in places} == {nodes.second_id}
    assert len({place.process for place in places}) == at_once


def test_an_actor_sees_the_gpu_that_it_was_given_and_no_other(pool: "ActorPool", data: EncodedData) -> None:
    import ray

    list(_executor(pool, num_gpus=0.5, max_packs=1).run([pack("p")], data))
    actor = pool.take()
    assert actor is not None
    seen = actor.__ray_call__.remote(lambda _: (os.environ.get("CUDA_VISIBLE_DEVICES"), ray.get_gpu_ids()))
    assert ray.get(seen) == ("0", [0])
    pool.give_back(actor)


def test_data_travels_once_to_every_node_and_not_by_its_path(pool: "ActorPool", nodes: Nodes, tmp_path: Path) -> None:
    from ray.experimental import get_object_locations

    data, executor = planted(tmp_path), _executor(pool, num_gpus=0.0, max_packs=4)
    for file in sorted(tmp_path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    events = list(executor.run([pack(f"p{n}", epochs=10) for n in range(10)], data))
    places = {event.place.process: event.place.node for event in events if isinstance(event, TrainResult)}
    assert len(places) > len(set(places.values())) == 2
    reference = executor._share([], data)
    assert len(get_object_locations([reference])[reference]["node_ids"]) == 2


def test_a_worker_without_a_job_leaves_a_shared_cluster_to_others(
    nodes: Nodes, pool: "ActorPool", data: EncodedData, tmp_path: Path
) -> None:
    import ray

    from workers.ray.ray_backend import RayBackend
    from workers.settings import Settings

    pool.close()
    settings = Settings(home=tmp_path, ray_address=nodes.ray.address, ray_rest_s=1)
    backend = RayBackend(settings)
    resources = ResourcesSpec(max_packs=1)
    for _ in range(2):
        with backend.executor(resources, device="cpu", check=lambda: None) as executor:
            list(executor.run([pack("p")], data))
        backend.rest()
        assert ray.available_resources()["CPU"] == 3, "the next job would have to start an actor again"
    time.sleep(1)
    backend.rest()
    assert _in_time(lambda: ray.available_resources()["CPU"] == 4)


def _in_time(condition: Callable[[], bool]) -> bool:
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.1)
    return False


class _Hurried:
    """Runs packs with a checkpoint at every look, tells what happened, and kills a node in the middle of it."""

    def __init__(self, executor: "RayExecutor", nodes: Nodes, journal: MemoryJournal) -> None:
        self._executor, self._nodes, self._journal = executor, nodes, journal
        self.events: list[PackEvent] = []
        self.places: dict[str, str] = {}
        self.killed_after = 0
        self.finished_before: list[int] = []

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        hurried = [replace(task, checkpoint_every_s=0.0) for task in tasks]
        for event in self._executor.run(hurried, data):
            self.events.append(event)
            if isinstance(event, PackStarted):
                self.places[event.key] = event.place.node
            yield event
            if not self.killed_after and isinstance(event, PackCheckpoint) and self._is_the_moment(event):
                self.killed_after = len(self.events)
                self.finished_before = [trial.number for trial in self._journal.trials()]
                self._nodes.kill_second()

    def _is_the_moment(self, event: PackCheckpoint) -> bool:
        """A pack's first look, so that most of it is still to come; a pack runs ahead of what it tells."""
        searching = len(self._journal.trials()) >= 4 and event.key.startswith("search/")
        looks = sum(isinstance(known, PackCheckpoint) and known.key == event.key for known in self.events)
        return searching and looks == 1 and self.places[event.key].endswith(self._nodes.second_id)


def test_a_node_that_dies_in_a_search_costs_no_trial_and_changes_no_answer(
    pool: "ActorPool", nodes: Nodes, tmp_path: Path
) -> None:
    spec, access = expanded(JobSpec.model_validate(SPEC), search_spaces.build), DataAccess(cache=tmp_path)
    undisturbed, disturbed = MemoryJournal(), MemoryJournal()
    run_job(spec, access=access, executor=InProcessExecutor(), journal=undisturbed)
    hurried = _Hurried(_executor(pool, num_gpus=0.0, max_packs=2), nodes, disturbed)
    run_job(spec, access=access, executor=hurried, journal=disturbed)

    assert hurried.killed_after
    before, after = hurried.events[: hurried.killed_after], hurried.events[hurried.killed_after :]
    lost = {event.key for event in after if isinstance(event, PackStarted)} & set(_looks(before))
    assert lost, "the node had packs"
    for key in lost:
        assert _looks(after)[key][0] > _looks(before)[key][0], "it began anew"
    assert hurried.finished_before, "trials had finished"
    ended = [event.key for event in hurried.events if isinstance(event, TrainResult)]
    assert len(ended) == len(set(ended)), "a finished trial ran again"

    assert [_essence(trial) for trial in disturbed.trials()] == [_essence(trial) for trial in undisturbed.trials()]
    assert disturbed.report is not None
    assert undisturbed.report is not None
    assert disturbed.report["best"] == undisturbed.report["best"]
    assert {trial.state for trial in disturbed.trials()} == {TrialState.COMPLETE, TrialState.PRUNED}
    homes = {trial.place.node.rpartition("/")[2] for trial in disturbed.trials() if trial.place is not None}
    assert nodes.second_id in homes
    assert len(homes) == 2


def _looks(events: Sequence[PackEvent]) -> dict[str, list[int]]:
    """Steps at which packs told how far they were."""
    steps: dict[str, list[int]] = {}
    for event in events:
        if isinstance(event, PackProgress):
            steps.setdefault(event.key, []).append(event.step)
    return steps


def _essence(trial: Any) -> tuple[object, ...]:
    """What must not depend on where a trial ran."""
    return trial.number, trial.phase, trial.label, trial.route_digest, dict(trial.values)
