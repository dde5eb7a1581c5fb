"""Candidates and what became of them: settings, trials, evaluations. Plain values that travel between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from mtnas.routes import Route

LOST = "lost"
"""Note of a failed trial: the processes that trained it died, so the fault may be the machine's."""

LATENCY = "latency_us"
"""Measured cost: microseconds of a route's frozen module for one batch, of ``protocol.latency_rows`` rows."""

BEST_STEP = "best_step"
"""Cost of a trained candidate: the step of its best look, whose weights it is judged by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything about a candidate that is not structure.

    Attributes:
        lr: peak learning rate.
        weight_decay: decoupled weight decay.
        dropout: probability of dropping a unit of a sub-network's output.
        seed: decides initial weights and noise.
        data_seed: decides the order of the rows.
        gate: settings of the gates by name, such as ``temperature`` or ``k``.
        gamma: weight of the small towers' losses; ``None`` takes the job's.
        task_weights: factors on ``Task.weight`` by task name, 1 where none is named.
        balancer: of its own, as ``training.balancer`` is written; ``None`` takes the job's.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-5
    dropout: float = 0.0
    seed: int = 0
    data_seed: int = 0
    gate: Mapping[str, float] = field(default_factory=dict)
    gamma: float | None = None
    task_weights: Mapping[str, float] = field(default_factory=dict)
    balancer: Mapping[str, Any] | None = None

    def without_seeds(self) -> dict[str, Any]:
        """What makes two trainings of a route different on purpose, as plain data."""
        return {name: value for name, value in asdict(self).items() if name not in ("seed", "data_seed")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A route and the settings to train it with."""

    route: Route
    settings: Settings


class TrialState(StrEnum):
    """What became of a trial.

    A pruned trial was stopped early by successive halving: its evaluations and values are those of its fidelity, the
    ``candidate_steps`` among their costs; ``notes["pruned"]`` says at which rung and against how many.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a trial ran."""

    node: str
    process: int
    device: str
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A candidate's figures on one part of the data.

    Attributes:
        part: ``search``, ``valid`` or ``test``.
        per_task: metrics by task name, then by metric name; NaN where a part holds no labels.
        costs: ``num_params``, ``macs``, ``device_seconds``, its fidelity, ``candidate_steps``, the step of its best
            look, ``best_step``, and ``latency_us`` where an objective or a constraint asks for it.
    """

    part: str
    per_task: Mapping[str, Mapping[str, float]]
    costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate being or having been run.

    Attributes:
        number: unique and dense within the job; searchers see trials sorted by it.
        phase: the phase of the job that ran it.
        label: what the trial is for a reader (``mmoe``, ``search``, ``finalist-1``).
        graph_digest: digest of the graph the candidate's route belongs to.
        route_digest: digest of the route.
        failure: why it failed, for failed trials.
        values: the objectives' values by metric name, for complete and pruned trials.
    """

    number: int
    phase: str
    label: str
    candidate: Candidate
    state: TrialState
    graph_digest: str = ""
    route_digest: str = ""
    evaluations: tuple[Evaluation, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    place: Place | None = None
    failure: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def was_cut(self) -> bool:
        """Whether a deadline ended the trial before it was trained; such a trial says nothing of its candidate."""
        return bool(self.notes.get("cut"))

    @property
    def is_infeasible(self) -> bool:
        """Whether the trial breaks a limit that only measuring could tell; such a trial counts as worst."""
        return bool(self.notes.get("infeasible"))

    def on(self, part: str) -> Evaluation:
        """The evaluation on one part of the data.

        Raises:
            KeyError: the trial was not evaluated there.
        """
        for evaluation in self.evaluations:
            if evaluation.part == part:
                return evaluation
        raise KeyError(part)
