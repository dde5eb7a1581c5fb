"""Packs as work that travels: their events, and that going on from any checkpoint gives the same result."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
import safetensors.torch
import torch

from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.data_spec import DataSpec
from mtnas.ensembles.forest import Forest
from mtnas.ensembles.linear import Linear
from mtnas.errors import DataError, DivergedError, OutOfMemoryError
from mtnas.routes import canonical_route, narrow, shape_graph
from mtnas.run.packs import pack_training
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import (
    PackCheckpoint,
    PackEvent,
    PackFailed,
    PackProgress,
    PackStarted,
    SupernetResult,
    TaskModelResult,
    TrainResult,
)
from mtnas.run.packs.pack_task import PackTask, SupernetWork, TrainWork
from mtnas.run.packs.planned import Planned, pack_key
from mtnas.run.task_models.linear_models import LinearWork
from mtnas.run.task_models.tree_settings import TreeSettings
from mtnas.run.task_models.trees import TreesWork
from mtnas.search.specs.supernet_specs import ReinforceSearch
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection, Supernet
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.measuring.evaluate import evaluate, of_candidate
from mtnas.training.recipe import Recipe
from mtnas.trials import Candidate, Settings
from search_spaces import build
from tests.run.jobs import DATA, POLICY_STEP

TASKS = tuple(Task(name=f"t{n}", kind=TaskKind.BINARY, label=f"task_{n}", tower=(4,)) for n in range(2))
RECIPE = Recipe(batch_size=64, epochs=3, evaluate_every=2)
Event = TypeVar("Event")


@pytest.fixture(scope="module")
def data(access: DataAccess) -> EncodedData:
    return load(DataSpec.model_validate(DATA), TASKS, access=access)


def space() -> SearchSpace:
    return build("mtnas", TASKS, {"layers": 1, "subnets": 2, "width": 4})


def training(
    *, lrs: Sequence[float] = (0.01, 0.003), parts: tuple[str, ...] = ("train",), keep: bool = False
) -> PackTask:
    found = space()
    route = canonical_route(found.graph, found.sample(np.random.default_rng(0)))
    candidates = [
        Candidate(route=route, settings=Settings(lr=lr, seed=seed, dropout=0.1)) for seed, lr in enumerate(lrs)
    ]
    work = TrainWork(
        graph=shape_graph(found.graph, route),
        candidates=tuple(candidates),
        parts=parts,
        evaluate_on=("search", "valid"),
        keep_weights=keep,
    )
    return PackTask(key="train", work=work, tasks=TASKS, recipe=RECIPE, checkpoint_every_s=-1.0)


def searching(*, lrs: Sequence[float] = (0.01, 0.02)) -> PackTask:
    work = SupernetWork(
        space=space(),
        settings=tuple(Settings(lr=lr, seed=seed, data_seed=seed) for seed, lr in enumerate(lrs)),
        searches=(ReinforceSearch(routes_per_step=4, reward_rows=32, warmup=0.2),) * len(lrs),
        num_samples=4,
    )
    return PackTask(key="search", work=work, tasks=TASKS, recipe=RECIPE, checkpoint_every_s=-1.0)


def charge(task: PackTask, step: int) -> float:
    """Candidate-steps of the first steps of two candidates, or of two searches whose first step is their warm-up."""
    return 2 * (step + (POLICY_STEP * (step - 1) if isinstance(task.work, SupernetWork) else 0))


def of_kind(events: Sequence[PackEvent], kind: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("task", [training(), searching()], ids=["training", "searching"])
def test_a_pack_starts_with_its_place_and_ends_with_its_result(task: PackTask, data: EncodedData) -> None:
    events = list(execute(task, data, actor="actor-7"))
    assert isinstance(events[0], PackStarted)
    assert events[0].place.actor == "actor-7"
    assert isinstance(events[-1], TrainResult | SupernetResult)
    assert events[-1].place == events[0].place
    assert {event.key for event in events} == {task.key}
    progress = of_kind(events, PackProgress)
    steps = [event.step for event in progress]
    assert steps == sorted(set(steps))
    assert steps[-1] == progress[0].total_steps == 9
    assert [event.candidate_steps for event in progress] == pytest.approx([charge(task, step) for step in steps])


@pytest.mark.parametrize("task", [training(), searching()], ids=["training", "searching"])
def test_work_and_events_travel_between_processes(task: PackTask, data: EncodedData) -> None:
    assert pickle.loads(pickle.dumps(task)) == task
    for event in execute(task, data):
        assert pickle.loads(pickle.dumps(event)) == event


@pytest.mark.parametrize("task", [training(keep=True), searching()], ids=["training", "searching"])
def test_going_on_from_any_checkpoint_gives_the_same_result(task: PackTask, data: EncodedData) -> None:
    events = list(execute(task, data))
    checkpoints = of_kind(events, PackCheckpoint)
    assert len(checkpoints) == len(of_kind(events, PackProgress)) - 1
    for number, checkpoint in enumerate(checkpoints):
        resumed = list(execute(replace(task, resume=checkpoint.state), data))
        assert _without_clock(resumed[-1]) == _without_clock(events[-1])
        steps = [event.step for event in of_kind(resumed, PackProgress)]
        assert steps == [event.step for event in of_kind(events, PackProgress)][number + 1 :]


def _without_clock(event: PackEvent) -> object:
    if isinstance(event, TrainResult):
        return [
            (outcome.weights, [(e.part, e.per_task, e.costs["candidate_steps"]) for e in outcome.evaluations])
            for outcome in event.outcomes
        ]
    assert isinstance(event, SupernetResult)
    return event.proposals, event.candidate_steps


@pytest.mark.parametrize("task", [training(), searching()], ids=["training", "searching"])
def test_time_before_a_checkpoint_counts_but_its_steps_are_not_counted_again(task: PackTask, data: EncodedData) -> None:
    checkpoint = of_kind(list(execute(task, data)), PackCheckpoint)[-1]
    state = safetensors.torch.load(checkpoint.state)
    state["seconds"] = torch.full_like(state["seconds"], 1000.0)
    events = list(execute(replace(task, resume=safetensors.torch.save(state)), data))
    last = of_kind(events, PackProgress)[-1]
    assert last.candidate_steps == pytest.approx(charge(task, last.step) - charge(task, int(state["step"])))
    assert last.seconds > 1000
    end = events[-1]
    if isinstance(end, TrainResult):
        assert all(e.costs["device_seconds"] > 1000 for o in end.outcomes for e in o.evaluations)
    else:
        assert isinstance(end, SupernetResult)
        assert end.seconds > 1000


def test_kept_weights_are_those_of_the_evaluations(data: EncodedData) -> None:
    task = training(keep=True)
    end = list(execute(task, data))[-1]
    assert isinstance(end, TrainResult)
    assert isinstance(task.work, TrainWork)
    for candidate, outcome in zip(task.work.candidates, end.outcomes, strict=True):
        assert outcome.weights is not None
        frozen = Supernet(narrow(task.work.graph, candidate.route), data.inputs, [0])
        frozen.load_state_dict(safetensors.torch.load(outcome.weights))
        selection = Selection.from_route(frozen.graph, candidate.route)
        metrics = evaluate(frozen, selection, ResidentData.of(data, torch.device("cpu")), TASKS, ("valid",))
        kept = next(e.per_task for e in outcome.evaluations if e.part == "valid")
        for name, figures in of_candidate(metrics, 0).items():
            assert figures == pytest.approx(kept[name], rel=1e-5)


def test_weights_are_not_given_back_unasked(data: EncodedData) -> None:
    end = list(execute(training(), data))[-1]
    assert isinstance(end, TrainResult)
    assert [outcome.weights for outcome in end.outcomes] == [None, None]


def test_a_candidate_that_diverged_has_a_reason_and_no_weights(data: EncodedData) -> None:
    end = list(execute(training(lrs=(0.01, 1e30, 0.003), keep=True), data))[-1]
    assert isinstance(end, TrainResult)
    assert [outcome.failure is None for outcome in end.outcomes] == [True, False, True]
    assert [outcome.weights is None for outcome in end.outcomes] == [False, True, False]
    assert "learning rate" in (end.outcomes[1].failure or "")


def test_searches_that_all_diverge_fail_and_one_that_does_not_goes_on(data: EncodedData) -> None:
    failed = list(execute(searching(lrs=(1e30, 1e30)), data))[-1]
    assert isinstance(failed, PackFailed)
    assert isinstance(failed.error, DivergedError)
    end = list(execute(searching(lrs=(1e30, 0.01)), data))[-1]
    assert isinstance(end, SupernetResult)
    assert end.proposals[0] == ()
    assert all(math.isfinite(v) for p in end.proposals[1] for m in p.inherited.values() for v in m.values())


def test_an_error_of_ours_ends_the_pack_and_names_itself(data: EncodedData) -> None:
    end = list(execute(training(parts=("holdout",)), data))[-1]
    assert isinstance(end, PackFailed)
    assert isinstance(end.error, DataError)
    assert end.place is not None


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("8 GiB"), MemoryError("8 GiB")])
def test_full_memory_is_an_error_of_ours(error: Exception, data: EncodedData, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pack_training, "PackTrainer", fill)
    end = list(execute(training(), data))[-1]
    assert isinstance(end, PackFailed)
    assert isinstance(end.error, OutOfMemoryError)
    assert "8 GiB" in str(end.error)


def test_trees_are_work_like_any_other(data: EncodedData) -> None:
    work = TreesWork(task=TASKS[1], settings=(TreeSettings(lr=0.1),), iterations=5)
    events = list(execute(PackTask(key="trees", work=work, tasks=TASKS, recipe=RECIPE), data))
    assert isinstance(events[0], PackStarted)
    end = events[-1]
    assert isinstance(end, TaskModelResult)
    assert (end.task, end.settings["lr"]) == ("t1", 0.1)
    assert end.metrics.keys() == safetensors.torch.load(end.outputs).keys() == {"valid", "test"}
    assert len(Forest.from_bytes(end.model).roots) == end.settings["iterations"] <= 5


def test_linear_models_are_work_like_any_other(data: EncodedData) -> None:
    work = LinearWork(task=TASKS[1], penalties=(3.0,))
    end = list(execute(PackTask(key="linear", work=work, tasks=TASKS, recipe=RECIPE), data))[-1]
    assert isinstance(end, TaskModelResult)
    assert (end.task, end.settings) == ("t1", {"penalty": 3.0})
    assert end.metrics.keys() == safetensors.torch.load(end.outputs).keys() == {"valid", "test"}
    assert Linear.from_bytes(end.model).bias.shape == (TASKS[1].num_outputs,)


def test_packs_of_different_trials_have_different_names() -> None:
    """Or a pack might go on from the weights of another."""
    graph = space().graph
    route = space().cheapest()
    candidate = Candidate(route=route, settings=Settings())

    def name(*numbers: int, until: int | None = None) -> str:
        members = [
            Planned(number=number, phase="search", label="search", graph=graph, candidate=candidate)
            for number in numbers
        ]
        return pack_key(members, until)

    assert name(12, 13, 14, 15) == "search/12+4"
    names = [name(12, 13), name(12, 14), name(12, 15), name(12, 13, 15), name(12, 14, 15), name(12, 13, until=5)]
    assert len(set(names)) == len(names)
