"""What a job specification consists of: every part by name, with its default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mtnas.data.data_spec import DataSpec, Part
from mtnas.data.lengths import AtMost
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.search.specs.search_spec import Search
from mtnas.search.specs.supernet_specs import ReinforceSearch
from mtnas.spec.protocol import ProtocolSpec
from mtnas.spec.sections import (
    BaseSpec,
    ConstraintsSpec,
    DiagnosticsSpec,
    ExportSpec,
    ObjectiveSpec,
    ResourcesSpec,
    SpaceSpec,
    TaskSpec,
    TrainingSpec,
)
from mtnas.tasks import Direction
from mtnas.trials import LATENCY


class JobParts(Part):
    """The parts of a search job, each legal by itself: all have defaults except the data and the tasks."""

    version: Literal[1] = 1
    kind: Literal["search"] = "search"
    name: Annotated[str, Field(min_length=1, max_length=200)]
    data: DataSpec
    tasks: Annotated[tuple[TaskSpec, ...], Field(min_length=1), AtMost(256)]
    space: SpaceSpec = SpaceSpec()
    search: Search = ReinforceSearch()
    training: TrainingSpec = TrainingSpec()
    objectives: Annotated[tuple[ObjectiveSpec, ...], Field(min_length=1), AtMost(16)] = (
        ObjectiveSpec(metric="mean_gain", direction=Direction.MAX),
    )
    constraints: ConstraintsSpec = ConstraintsSpec()
    protocol: ProtocolSpec = ProtocolSpec()
    budget: BudgetSpec = BudgetSpec()
    resources: ResourcesSpec = ResourcesSpec()
    export: ExportSpec = ExportSpec()
    diagnostics: DiagnosticsSpec = DiagnosticsSpec()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    base: BaseSpec | None = None

    @property
    def asks_latency(self) -> bool:
        """Whether routes are to be timed: an objective or a limit asks for it."""
        timed = any(objective.metric == LATENCY for objective in self.objectives)
        return timed or self.constraints.max_latency_us is not None

    @property
    def least_epochs(self) -> float:
        """Epochs that the rungs of halving ask for."""
        halving = getattr(self.search, "halving", None)
        return 1.0 if halving is None else halving.reduction * halving.min_epochs

    @property
    def needs_rows_of_all_tasks(self) -> bool:
        """Whether something of the job needs outputs of several tasks for one row."""
        return self.training.alignment is not None or "esmm" in self.protocol.named_baselines
