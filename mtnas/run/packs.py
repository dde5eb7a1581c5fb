"""Packs as work that travels: what to train or search, and the events it gives back. ``execute`` does it."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import safetensors.torch
import torch
from torch import Tensor

from mtnas.data import EncodedData
from mtnas.errors import DivergedError, MtnasError, OutOfMemoryError
from mtnas.routes import Route, RouteGraph
from mtnas.run.trees import TreesWork, boost
from mtnas.search.shared_weights import SharedWeightsSearch
from mtnas.spaces import SearchSpace
from mtnas.supernets import freeze
from mtnas.tasks import Task
from mtnas.training.evaluate import of_candidate
from mtnas.training.pack_state import STEP, join, keep
from mtnas.training.recipe import Recipe
from mtnas.training.rows import ResidentData, TrainingData
from mtnas.training.searchers import make_search
from mtnas.training.shared_weights import Ground
from mtnas.training.streamed import StreamedData
from mtnas.training.supernet_search import Proposal, SupernetSearch
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Candidate, Evaluation, Place, Settings

Metrics = Mapping[str, Mapping[str, float]]

SECONDS = "seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainWork:
    """Train candidates of one shape from scratch.

    Attributes:
        graph: the candidates' shape graph.
        candidates: one pack.
        parts: rows to train on.
        evaluate_on: parts to evaluate the best weights on.
        keep_weights: whether to give the frozen weights back.
        until: the step of a rung of successive halving to stop at; a checkpoint of that step then comes before the
            result, whose figures are those of the best weights so far. ``None`` trains to the end.
    """

    graph: RouteGraph
    candidates: tuple[Candidate, ...]
    parts: tuple[str, ...]
    evaluate_on: tuple[str, ...]
    keep_weights: bool = False
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetWork:
    """Search over shared weights; one search per settings.

    Attributes:
        searches: specifications of one kind, one per search.
        num_samples: routes to propose beside every derived one.
        most_steps: weight steps of each search at most; ``None`` for all its epochs.
        seconds: what the pack may take, the time before it was resumed included; ``None`` for any.
    """

    space: SearchSpace
    settings: tuple[Settings, ...]
    searches: tuple[SharedWeightsSearch, ...]
    num_samples: int
    most_steps: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTask:
    """One pack of work.

    Attributes:
        key: unique within the job; names the pack's checkpoint.
        resume: the state of a checkpoint to go on from.
        checkpoint_every_s: seconds between checkpoints.
        streamed: whether inputs are read from the cache as batches need them, instead of lying in memory.
        stop_at: moment (seconds since 1970) from which candidates are not trained on but cut off; ``None`` for never.
    """

    key: str
    work: TrainWork | SupernetWork | TreesWork
    tasks: tuple[Task, ...]
    recipe: Recipe
    device: str = "cpu"
    resume: bytes | None = None
    checkpoint_every_s: float = 15.0
    streamed: bool = False
    stop_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackStarted:
    """A pack has found its place."""

    key: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PackProgress:
    """How far a pack is; ``candidate_steps`` is what its candidates were charged since they were started or resumed."""

    key: str
    step: int
    total_steps: int
    candidate_steps: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PackCheckpoint:
    """A state to resume from, as safetensors bytes."""

    key: str
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one candidate: evaluations, or why there are none; weights of the frozen route if kept.

    ``cut`` holds the costs (as in ``Evaluation``) of a candidate that was cut off at ``PackTask.stop_at``.
    """

    evaluations: tuple[Evaluation, ...] = ()
    failure: str | None = None
    weights: bytes | None = None
    cut: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A trained pack, outcomes in the order of its candidates.

    ``step_seconds`` is what its steps took since it was started or resumed: neither building it nor evaluations.
    """

    key: str
    place: Place
    outcomes: tuple[Outcome, ...]
    step_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetResult:
    """Finished searches: proposals per search, what the pack was charged and took, whether its seconds ended it."""

    key: str
    place: Place
    proposals: tuple[tuple[Proposal, ...], ...]
    candidate_steps: float
    seconds: float
    out_of_time: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesResult:
    """Boosted trees of one task: the learning rate chosen on ``valid``, metrics by part, and the time it took."""

    key: str
    place: Place
    task: str
    lr: float
    metrics: Metrics
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFailed:
    """A pack that could not be done; the error says why."""

    key: str
    place: Place | None
    error: MtnasError


PackEnd = TrainResult | SupernetResult | TreesResult | PackFailed
PackEvent = PackStarted | PackProgress | PackCheckpoint | PackEnd


def here(device: str, *, actor: str | None = None, node: str | None = None) -> Place:
    """This process as a place."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return Place(node=node or platform.node() or "localhost", process=os.getpid(), device=name, actor=actor)


def execute(
    task: PackTask, data: EncodedData, *, actor: str | None = None, node: str | None = None
) -> Iterator[PackEvent]:
    """Do one pack's work, step by step; the last event is its result or its failure.

    Args:
        actor: which actor this is, for the pack's place.
        node: its node, where the machine's name does not say enough.
    """
    place = here(task.device, actor=actor, node=node)
    yield PackStarted(key=task.key, place=place)
    try:
        match task.work:
            case TrainWork():
                yield from _train(task, task.work, data, place)
            case SupernetWork():
                yield from _search(task, task.work, data, place)
            case TreesWork():
                started = time.monotonic()
                if task.streamed:
                    raise OutOfMemoryError(
                        expected="rows that fit into memory, since trees look at all of them at once",
                        found="rows that are streamed",
                        where="boosted_trees",
                    )
                lr, metrics = boost(task.work, data, seed=0)
                yield TreesResult(
                    key=task.key,
                    place=place,
                    task=task.work.task.name,
                    lr=lr,
                    metrics=metrics,
                    seconds=time.monotonic() - started,
                )
    except MtnasError as error:
        yield PackFailed(key=task.key, place=place, error=error)
    except (torch.OutOfMemoryError, MemoryError) as error:
        found = OutOfMemoryError(
            expected="a pack that fits into the device", found=str(error), where=f"pack {task.key!r}"
        )
        yield PackFailed(key=task.key, place=place, error=found)


def rows_for(task: PackTask, data: EncodedData) -> TrainingData:
    """The rows that a pack trains on, where it wants them."""
    device = torch.device(task.device)
    return StreamedData.of(data, device) if task.streamed else ResidentData.of(data, device)


def _train(task: PackTask, work: TrainWork, data: EncodedData, place: Place) -> Iterator[PackEvent]:
    started = time.monotonic()
    if _is_over(task):
        yield TrainResult(key=task.key, place=place, outcomes=(_cut_off(step=0, seconds=0.0),) * len(work.candidates))
        return
    rows = rows_for(task, data)
    routes = [candidate.route for candidate in work.candidates]
    trainer = PackTrainer(
        graph=work.graph,
        inputs=data.inputs,
        routes=routes,
        settings=[candidate.settings for candidate in work.candidates],
        tasks=task.tasks,
        data=rows,
        recipe=task.recipe,
        parts=work.parts,
    )
    begun, spent_K = _resumed(task, trainer, len(routes))
    end = trainer.total_steps if work.until is None else min(work.until, trainer.total_steps)
    saved, step = time.monotonic(), begun
    for look in trainer.run(until=end):
        step = look.step
        if step < end and _is_over(task):
            break
        yield PackProgress(
            key=task.key,
            step=look.step,
            total_steps=end,
            candidate_steps=(look.step - begun) * len(routes),
            seconds=float(spent_K.sum()) + time.monotonic() - started,
        )
        if time.monotonic() - saved > task.checkpoint_every_s and look.step < end:
            yield PackCheckpoint(key=task.key, state=_state(trainer, spent_K, started))
            saved = time.monotonic()
    if step < end:
        seconds_K = (spent_K + (time.monotonic() - started) / len(routes)).tolist()
        cuts = tuple(_cut_off(step=step, seconds=seconds) for seconds in seconds_K)
        yield TrainResult(key=task.key, place=place, outcomes=cuts)
        return
    found = trainer.best_metrics(work.evaluate_on)
    if end < trainer.total_steps:
        yield PackCheckpoint(key=task.key, state=_state(trainer, spent_K, started))
    spent_K = spent_K + (time.monotonic() - started) / len(routes)
    outcomes = []
    for k, route in enumerate(routes):
        costs = {"device_seconds": float(spent_K[k]), "candidate_steps": float(end)}
        evaluations = tuple(
            Evaluation(part=part, per_task=of_candidate(metrics, k), costs=costs) for part, metrics in found.items()
        )
        failure = _why_diverged(evaluations)
        weights = _frozen_bytes(trainer, route, k) if work.keep_weights and failure is None else None
        outcomes.append(Outcome(evaluations=evaluations, failure=failure, weights=weights))
    yield TrainResult(key=task.key, place=place, outcomes=tuple(outcomes), step_seconds=trainer.step_seconds)


def _search(task: PackTask, work: SupernetWork, data: EncodedData, place: Place) -> Iterator[PackEvent]:
    started = time.monotonic()
    ground = Ground(
        space=work.space,
        inputs=data.inputs,
        settings=work.settings,
        tasks=task.tasks,
        data=rows_for(task, data),
        recipe=task.recipe,
        most_steps=work.most_steps,
    )
    searcher = make_search(ground, work.searches)
    _, spent = _resumed(task, searcher)
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
            yield PackCheckpoint(key=task.key, state=_state(searcher, spent, started))
            saved = time.monotonic()
    if work.seconds is not None or work.most_steps is not None:
        # What ends early may be extended, and then goes on from here.
        yield PackCheckpoint(key=task.key, state=_state(searcher, spent, started))
    proposals = searcher.proposals(work.num_samples)
    if not any(proposals):
        raise DivergedError(expected="a search with finite weights", found="none", where=f"pack {task.key!r}")
    yield SupernetResult(
        key=task.key,
        place=place,
        proposals=tuple(tuple(of_search) for of_search in proposals),
        candidate_steps=searcher.candidate_steps,
        seconds=float(spent) + time.monotonic() - started,
        out_of_time=out_of_time,
    )


def _is_over(task: PackTask) -> bool:
    return task.stop_at is not None and time.time() >= task.stop_at


def _cut_off(*, step: int, seconds: float) -> Outcome:
    costs = {"device_seconds": seconds, "candidate_steps": float(step)}
    return Outcome(failure="budget.deadline_s passed before the trial was trained", cut=costs)


def _resumed(task: PackTask, work: PackTrainer | SupernetSearch, num_shares: int = 1) -> tuple[int, Tensor]:
    """Go on from the task's checkpoint, if it has one; the step, and the seconds that each share of the pack had cost.

    A candidate of a trained pack has a share of its own, since halving may change its company; a search has one.
    """
    if task.resume is None:
        return 0, torch.zeros(num_shares, dtype=torch.float64)
    state = safetensors.torch.load(task.resume)
    seconds = state.pop(SECONDS)
    work.load_state(state)
    return int(state[STEP]), seconds


def _state(work: PackTrainer | SupernetSearch, spent: Tensor, started: float) -> bytes:
    return _bytes(work.state() | {SECONDS: spent + (time.monotonic() - started) / len(spent)})


def cut(pieces: Sequence[tuple[bytes, Sequence[int]]]) -> bytes:
    """A pack's checkpoint made of some candidates of others', each a checkpoint with positions in it."""
    return _bytes(join([keep(safetensors.torch.load(state), places) for state, places in pieces]))


def _why_diverged(evaluations: Sequence[Evaluation]) -> str | None:
    """A candidate has diverged if a figure of it is not finite: every part has labels of every task (``data.load``)."""
    for evaluation in evaluations:
        for task, figures in evaluation.per_task.items():
            for name, value in figures.items():
                if not math.isfinite(value):
                    where = f"{evaluation.part}: task {task!r}"
                    return f"{where}: expected a finite {name}, found {value}; a smaller learning rate may help"
    return None


def _frozen_bytes(trainer: PackTrainer, route: Route, candidate: int) -> bytes:
    frozen = freeze(trainer.net, route, candidate=candidate)
    return _bytes({name: tensor.detach().clone() for name, tensor in frozen.state_dict().items()})


def _bytes(tensors: Mapping[str, Tensor]) -> bytes:
    return safetensors.torch.save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()})
