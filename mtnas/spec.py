"""The job specification, version 1: what a user may ask for, validated without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtnas.data.spec import (
    CatalogueSource,
    ColumnSplit,
    DatasetSource,
    DataSpec,
    Feature,
    FileSource,
    GroupSplit,
    JoinedTable,
    Part,
    RatioSplit,
    Source,
    Split,
    TimeSplit,
)
from mtnas.search.limits import BudgetSpec
from mtnas.search.searched_settings import BalancerChoice, GridChoice, LogUniformRange, SearchedSettings
from mtnas.search.shared_weights import ReinforceSearch
from mtnas.search.spec import HalvingSpec, SampledSearch, Search
from mtnas.spec_agreement import check_agreement
from mtnas.spec_parts import (
    BASELINES,
    STANDARD_BASELINES,
    BaseSpec,
    ConstraintsSpec,
    DiagnosticsSpec,
    ExportSpec,
    ObjectiveSpec,
    ProtocolSpec,
    ResourcesSpec,
    SpaceSpec,
    TaskSpec,
    TrainingSpec,
)
from mtnas.tasks import Direction
from mtnas.training_options import (
    AlignmentSpec,
    AuxiliarySpec,
    BalancerSpec,
    EqualBalancer,
    StaticBalancer,
    SvdReweighting,
)
from mtnas.trials import LATENCY

__all__ = [
    "BASELINES",
    "STANDARD_BASELINES",
    "AlignmentSpec",
    "AuxiliarySpec",
    "BalancerChoice",
    "BalancerSpec",
    "BaseSpec",
    "BudgetSpec",
    "CatalogueSource",
    "ColumnSplit",
    "ConstraintsSpec",
    "DataSpec",
    "DatasetSource",
    "DiagnosticsSpec",
    "EqualBalancer",
    "ExportSpec",
    "Feature",
    "FileSource",
    "GridChoice",
    "GroupSplit",
    "HalvingSpec",
    "JobSpec",
    "JoinedTable",
    "LogUniformRange",
    "ObjectiveSpec",
    "Part",
    "ProtocolSpec",
    "RatioSplit",
    "ReinforceSearch",
    "ResourcesSpec",
    "SampledSearch",
    "Search",
    "SearchedSettings",
    "Source",
    "SpaceSpec",
    "Split",
    "StaticBalancer",
    "SvdReweighting",
    "TaskSpec",
    "TimeSplit",
    "TrainingSpec",
]


class JobSpec(Part):
    """A search job: everything has a default except the data and the tasks."""

    version: Literal[1] = 1
    kind: Literal["search"] = "search"
    name: Annotated[str, Field(min_length=1, max_length=200)]
    data: DataSpec
    tasks: Annotated[tuple[TaskSpec, ...], Field(min_length=1, max_length=256)]
    space: SpaceSpec = SpaceSpec()
    search: Search = ReinforceSearch()
    training: TrainingSpec = TrainingSpec()
    objectives: Annotated[tuple[ObjectiveSpec, ...], Field(min_length=1)] = (
        ObjectiveSpec(metric="mean_gain", direction=Direction.MAX),
        ObjectiveSpec(metric="num_params", direction=Direction.MIN),
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
    def needs_rows_of_all_tasks(self) -> bool:
        """Whether something of the job needs outputs of several tasks for one row."""
        return self.training.alignment is not None or "esmm" in self.protocol.named_baselines

    @model_validator(mode="after")
    def _parts_agree(self) -> JobSpec:
        check_agreement(self)
        return self
