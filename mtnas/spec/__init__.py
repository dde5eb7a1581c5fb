"""The job specification, version 1: what a user may ask for, validated without torch.

Enters: a user's JSON or YAML. Leaves: a ``JobSpec`` whose parts agree with each other.
Reads the parts that ``data``, ``search`` and ``training_options`` define; ``run``, the service and the faces read it.
"""

from mtnas.data.data_spec import (
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
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.search.specs.search_spec import HalvingSpec, SampledSearch, Search
from mtnas.search.specs.searched_settings import BalancerChoice, GridChoice, LogUniformRange, SearchedSettings
from mtnas.search.specs.supernet_specs import ReinforceSearch
from mtnas.spec.job_spec import JobSpec
from mtnas.spec.protocol import BASELINES, STANDARD_BASELINES, ProtocolSpec
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
from mtnas.training_options import (
    AlignmentSpec,
    AuxiliarySpec,
    BalancerSpec,
    EqualBalancer,
    StaticBalancer,
    SvdReweighting,
)

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
