"""The parts of a job specification, each legal by itself; ``spec`` puts them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtnas.data.data_spec import WEIGHT_COLUMN, Part
from mtnas.data.lengths import AtMost, ColumnName, Document, Name, Options
from mtnas.routes import Route, RouteGraph, Tower
from mtnas.routes.building.extend import with_tasks
from mtnas.routes.gate_settings import check_gate_settings
from mtnas.search.specs.searched_settings import GridChoice
from mtnas.spaces import Constraints
from mtnas.spec.run_length import Auto, RunLength, run_length
from mtnas.tasks import Direction, Loss, Metric, Objective, Task, TaskKind
from mtnas.training_options import AlignmentSpec, AuxiliarySpec, BalancerSpec, EqualBalancer, SvdReweighting
from mtnas.units import Transform


class TaskSpec(Part):
    """One task as a user writes it; see ``mtnas.tasks.Task`` for the meaning of the fields.

    ``num_classes`` may be left out: classes are then the values that occur. ``weight_column`` (or ``sample_weight``) is
    the column of row weights where it is another than ``data.weight_column``.
    """

    name: Name
    kind: TaskKind
    label: ColumnName | None = None
    metric: Metric | None = None
    weight: float = 1.0
    tower: Annotated[tuple[Annotated[int, Field(le=2**16)], ...], AtMost(16)] = (32,)
    num_classes: Annotated[int, Field(le=2**20)] | None = None
    positive: bool | int | float | ColumnName | None = None
    transform: Transform = Transform.NONE
    loss: Loss = Loss.SQUARED
    delta: float = 1.0
    quantile: float = 0.5
    weight_column: ColumnName | None = WEIGHT_COLUMN

    def to_task(self) -> Task:
        """The value object, with the label column defaulting to the task's name."""
        return Task(
            name=self.name,
            kind=self.kind,
            label=self.label or self.name,
            metric=self.metric,
            weight=self.weight,
            tower=self.tower,
            num_classes=self._num_classes,
            positive=None if self.positive is None else str(self.positive),
            transform=self.transform,
            loss=self.loss,
            delta=self.delta,
            quantile=self.quantile,
            weight_column=self.weight_column,
        )

    @property
    def _num_classes(self) -> int:
        if self.num_classes is not None:
            return self.num_classes
        return 0 if self.kind is TaskKind.MULTICLASS else 1

    @model_validator(mode="after")
    def _is_a_task(self) -> TaskSpec:
        self.to_task()
        return self


class SpaceSpec(Part):
    """A search space by catalogue name with its options, or a whole inline space (``graph``)."""

    name: Name = "mtnas"
    options: Options = Field(default_factory=dict)
    graph: Document | None = None


MAX_ROUTE_TEXT = 500_000


class BaseSpec(Part):
    """A trained system that a job adds its last tasks to: a finalist whose weights a finished job has kept.

    ``POST /v1/jobs/{id}/tasks`` writes it. ``job`` is the job, ``trial`` the trial whose weights count, ``route`` the
    route's text in the names of ``graph``.
    """

    job: Name
    trial: Annotated[int, Field(ge=0)]
    route: Annotated[str, Field(max_length=MAX_ROUTE_TEXT)]
    graph: Document

    @property
    def tasks(self) -> tuple[str, ...]:
        """The old tasks, in order."""
        return RouteGraph.from_json(self.graph).tasks

    def graph_with(self, tasks: Sequence[Task]) -> RouteGraph:
        """The space's graph for all tasks of the job: the old ones as they are, the others added.

        Raises:
            SpaceError: the system has no sub-networks that a task could read.
        """
        graph = RouteGraph.from_json(self.graph)
        new = [Tower(task=t.name, reads="", hidden=t.tower, outputs=t.num_outputs) for t in tasks[len(graph.tasks) :]]
        return with_tasks(graph, Route.parse(self.route), new)


class TrainingSpec(Part):
    """How every candidate, baselines included, is trained.

    ``batches``: ``per_task`` ones hold ``batch_size`` rows of every task, each of which sees its own rows alone;
    ``mixed`` ones hold ``batch_size`` rows of all. ``auto`` is per task where no row has labels of several tasks, such
    as images of one alphabet each. ``batch_size`` and ``epochs`` that are ``auto`` follow from the number of training
    rows (``mtnas.spec.run_length``), epochs such that a training has at least ``least_steps``. ``lr`` and
    ``weight_decay``: grids are tuned on ``valid`` for every entrant, and grow by at most ``extend`` values a side while
    the best lies on their edge. ``optimiser``: what moves hidden matrices. ``clip_norm`` bounds the norm of each
    candidate's gradient. ``average``: decay of the moving average of weights that is evaluated and kept instead of
    them; so halving does not judge candidates by what a high learning rate makes of them. ``patience``: looks at
    ``valid`` without an improvement after which a candidate ends. Searches over shared weights take neither ``muon``,
    averages nor patience. ``gate``: settings of gates by name, such as ``temperature``
    (``mtnas.routes.gate_settings``). ``compiled``: by ``torch.compile``, which takes a compiler on a CPU and minutes a
    shape; there it is half as fast as the kernels that the service installs.
    """

    batches: Literal["auto", "mixed", "per_task"] = "auto"
    batch_size: Annotated[int, Field(ge=2)] | Auto = "auto"
    epochs: Annotated[int, Field(ge=1)] | Auto = "auto"
    least_steps: Annotated[int, Field(ge=1)] = 400
    lr: float | GridChoice = GridChoice(grid=(1e-3, 3e-3, 1e-2))
    weight_decay: Annotated[float, Field(ge=0)] | GridChoice = 1.0
    extend: Annotated[int, Field(ge=0, le=8)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    gate: Annotated[dict[Name, float], AtMost(64)] = Field(default_factory=dict)
    schedule: Literal["one_cycle", "flat_cosine", "constant"] = "one_cycle"
    optimiser: Literal["adamw", "muon"] = "muon"
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    average: Annotated[float, Field(gt=0, lt=1)] | None = 0.99
    patience: Annotated[int, Field(ge=1)] | None = None
    balancer: BalancerSpec = EqualBalancer()
    auxiliary: AuxiliarySpec | None = None
    alignment: AlignmentSpec | None = None
    reweighting: SvdReweighting | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compiled: bool = False
    evaluate_every: Annotated[int, Field(ge=1)] | None = None

    def length(self, *, num_rows: int, num_tasks: int, own_rows: bool = False, least_epochs: float = 1.0) -> RunLength:
        """Batch size and epochs on so many training rows; see ``run_length``."""
        return run_length(
            num_rows=num_rows,
            num_tasks=num_tasks,
            own_rows=own_rows,
            batch_size=self.batch_size,
            epochs=self.epochs,
            least_steps=self.least_steps,
            least_epochs=least_epochs,
        )

    @property
    def lr_grid(self) -> tuple[float, ...]:
        """The learning rates to try, one or several."""
        return self.lr.grid if isinstance(self.lr, GridChoice) else (self.lr,)

    @property
    def decay_grid(self) -> tuple[float, ...]:
        """The weight decays to try, one or several."""
        return self.weight_decay.grid if isinstance(self.weight_decay, GridChoice) else (self.weight_decay,)

    @property
    def num_tunings(self) -> int:
        """Trainings that tune an entrant, if its grids need not grow."""
        num_rates, num_decays = len(self.lr_grid), len(self.decay_grid)
        return num_rates + num_decays - 1 if num_rates * num_decays > 1 else 0

    @property
    def most_tunings(self) -> int:
        """The same if they grow as far as they may: on one side each, since no grid's best lies on both edges."""
        growing = sum(len(grid) > 1 for grid in (self.lr_grid, self.decay_grid))
        return self.num_tunings + growing * self.extend

    @model_validator(mode="after")
    def _gates_have_the_settings(self) -> TrainingSpec:
        check_gate_settings(self.gate)
        return self


class ObjectiveSpec(Part):
    """One axis of the answer."""

    metric: Annotated[str, Field(max_length=300)]
    direction: Direction

    def to_objective(self) -> Objective:
        """The value object."""
        return Objective(metric=self.metric, direction=self.direction)


class ConstraintsSpec(Part):
    """What every route of the answer must keep to.

    ``max_latency_us`` is measured when a route is trained: one that breaks it counts as worst, and is no finalist.
    """

    max_params: Annotated[int, Field(ge=1)] | None = None
    max_macs: Annotated[int, Field(ge=1)] | None = None
    max_in_degree: Annotated[int, Field(ge=1)] | None = None
    max_latency_us: Annotated[float, Field(gt=0)] | None = None

    @property
    def of_routes(self) -> Constraints:
        """What can be told of a route before it is trained: the limits of a space."""
        return Constraints(max_params=self.max_params, max_macs=self.max_macs, max_in_degree=self.max_in_degree)

    def with_space(self, limits: Constraints) -> ConstraintsSpec:
        """These with a space's limits instead of their own."""
        return self.model_copy(update=asdict(limits))


class ResourcesSpec(Part):
    """What a job may use.

    Attributes:
        device: ``auto`` takes GPUs where the worker has any.
        gpus_per_pack: share of a GPU that a pack on a GPU gets; a quarter lets four packs share one.
        max_packs: packs that run at one time at most; fewer where there is no room for so many.
        pack_size: candidates per pack at most, instead of as many as the device runs best.
        memory_mib: memory of a GPU or processor that a pack with its data may take: it bounds how many candidates train
            together, and a candidate that does not fit alone fails.
        data: whether inputs lie in memory (``resident``) or are read from the cache of encoded data as batches need
            them (``streamed``); ``auto`` streams what would take more than half of ``memory_mib``. The batches are the
            same.
        driver: what spreads packs over a Ray cluster: actors that live on between jobs, or Ray Tune.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus_per_pack: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_packs: Annotated[int, Field(ge=1)] = 2
    pack_size: Annotated[int, Field(ge=1)] | None = None
    memory_mib: Annotated[int, Field(ge=64)] = 2048
    data: Literal["auto", "resident", "streamed"] = "auto"
    driver: Literal["actors", "tune"] = "actors"


class ExportSpec(Part):
    """What to export when the search ends: the best finalists, and an ensemble of what was trained anyway.

    Attributes:
        top: how many finalists; with none, nothing is exported.
        ensemble: ``greedy`` chooses among the networks that were retrained, baselines too, on ``valid``; an entrant of
            the report of its own. ``none`` keeps one network.
        ensemble_for: whether half of a member's weight is each ``task``'s own, or the whole ``job`` has the same.
        tree_members: whether boosted trees and linear models, where the protocol fits them, may be members.
        most_members: different members at most.
        formats: what is written beside the folder's own module, which is always there: ``pt2`` (``torch.export``) and
            ``onnx`` (needs ``mtnas[onnx]``), each the network over encoded rows, for any number of rows.
    """

    top: Annotated[int, Field(ge=0)] = 1
    ensemble: Literal["none", "greedy"] = "greedy"
    ensemble_for: Literal["task", "job"] = "task"
    tree_members: bool = True
    most_members: Annotated[int, Field(ge=1, le=256)] = 32
    formats: Annotated[tuple[Literal["module", "pt2", "onnx"], ...], AtMost(8)] = ("module",)


class DiagnosticsSpec(Part):
    """Diagnostics of the best route that cost backward passes; the cheap ones are always in the report."""

    conflicts: bool = False
    affinity: bool = False
