"""Packs as work that travels: what to train or to search, and the rows that it is done on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from mtnas.data import EncodedData
from mtnas.routes import Route, RouteGraph
from mtnas.run.judging.latency import Timing
from mtnas.run.task_models.linear_models import LinearWork
from mtnas.run.task_models.trees import TreesWork
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task
from mtnas.training.feeding.rows import ResidentData, TrainingData
from mtnas.training.feeding.streamed import StreamedData
from mtnas.training.recipe import Recipe
from mtnas.training.searches.aim import Aim
from mtnas.training.trained_network import Trained
from mtnas.trials import Candidate, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainWork:
    """Train candidates of one shape.

    Attributes:
        graph: the candidates' shape graph.
        candidates: one pack.
        parts: rows to train on.
        evaluate_on: parts to evaluate the best weights on.
        keep_weights: whether to give the frozen weights back.
        keep_outputs: whether to give the outputs on ``evaluate_on`` back, for an ensemble.
        until: the step of a rung of successive halving to stop at; a checkpoint of that step then comes before the
            result, whose figures are those of the best weights so far. ``None`` trains to the end.
        timing: whose routes to time when they are trained, at no cost in ``device_seconds``.
        trained: the network that every candidate starts from; ``None`` starts at random.
    """

    graph: RouteGraph
    candidates: tuple[Candidate, ...]
    parts: tuple[str, ...]
    evaluate_on: tuple[str, ...]
    keep_weights: bool = False
    keep_outputs: bool = False
    until: int | None = None
    timing: Timing | None = None
    trained: Trained | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetWork:
    """Search over shared weights; one search per settings.

    Attributes:
        searches: specifications of one kind, one per search.
        num_samples: routes to propose beside every derived one.
        known: schemes that the space contains, by name, which are proposed as well.
        num_random: random routes to compare the derived ones with, under the same weights.
        groups: tasks that belong together, each task's group, for searches that lean on it.
        most_steps: weight steps of each search at most; ``None`` for all its epochs.
        seconds: what the pack may take, the time before it was resumed included; ``None`` for any.
        aim: what routes that are tried whole are judged by.
    """

    space: SearchSpace
    settings: tuple[Settings, ...]
    searches: tuple[SharedWeightsSearch, ...]
    num_samples: int
    known: Mapping[str, Route] = field(default_factory=dict)
    num_random: int = 0
    groups: tuple[int, ...] | None = None
    most_steps: int | None = None
    seconds: float | None = None
    aim: Aim | None = None


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
    work: TrainWork | SupernetWork | TreesWork | LinearWork
    tasks: tuple[Task, ...]
    recipe: Recipe
    device: str = "cpu"
    resume: bytes | None = None
    checkpoint_every_s: float = 15.0
    streamed: bool = False
    stop_at: float | None = None


def rows_for(task: PackTask, data: EncodedData) -> TrainingData:
    """The rows that a pack trains on, where it wants them."""
    device = torch.device(task.device)
    return StreamedData.of(data, device) if task.streamed else ResidentData.of(data, device)
