"""What a pack at work tells: that it has started, how far it is, states to resume from, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtnas.errors import MtnasError
from mtnas.training.searches.supernet_search import Proposal
from mtnas.trials import Evaluation, Place

Metrics = Mapping[str, Mapping[str, float]]


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

    ``outputs`` are those of a possible member of an ensemble, as safetensors bytes: by part, float32
    ``[N, all outputs]``, task by task. ``cut`` holds the costs (as in ``Evaluation``) of a candidate that was
    cut off at ``PackTask.stop_at``. ``lost``: the processes that trained it died, so the failure may be the machine's.
    """

    evaluations: tuple[Evaluation, ...] = ()
    failure: str | None = None
    weights: bytes | None = None
    outputs: bytes | None = None
    cut: Mapping[str, float] | None = None
    lost: bool = False


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
    """Finished searches.

    Attributes:
        proposals: per search.
        yardstick: inherited metrics of random routes under the first search's weights.
        entropies: of every search at the start and as it went on, in nats.
        steps: weight steps that each search took.
        settled: whether nothing was left to decide before all steps were taken.
        candidate_steps: what the pack was charged.
        seconds: what it took.
        out_of_time: whether its seconds ended it.
    """

    key: str
    place: Place
    proposals: tuple[tuple[Proposal, ...], ...]
    yardstick: tuple[Metrics, ...]
    entropies: tuple[tuple[float, ...], ...]
    steps: int
    settled: bool
    candidate_steps: float
    seconds: float
    out_of_time: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskModelResult:
    """Boosted trees or a linear model of one task.

    Attributes:
        settings: what was best on ``valid`` of what was tried.
        metrics: by part.
        outputs: by part, ``[N, outputs]`` as safetensors bytes.
        model: ``TaskModel.to_bytes``.
        seconds: what fitting took, those that were not chosen included.
    """

    key: str
    place: Place
    task: str
    settings: Mapping[str, float]
    metrics: Metrics
    outputs: bytes
    model: bytes
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFailed:
    """A pack that could not be done; the error says why."""

    key: str
    place: Place | None
    error: MtnasError


PackEnd = TrainResult | SupernetResult | TaskModelResult | PackFailed
PackEvent = PackStarted | PackProgress | PackCheckpoint | PackEnd
