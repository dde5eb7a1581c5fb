"""What may be sent to the service, besides job specifications (``mtnas.spec``); answers are in ``mtnas.messages``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mtnas.data.data_spec import CatalogueSource, FileSource
from mtnas.data.lengths import AtMost
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.search.specs.search_spec import SampledSearch
from mtnas.spec import DataSpec, TaskSpec, TrainingSpec

LabelName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[\w.-]+$")]
LabelValue = Annotated[str, Field(max_length=200)]


class NewDataset(BaseModel):
    """A data set to register: a name, and where its rows are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$", examples=["clicks-2026"])]
    source: Annotated[
        CatalogueSource | FileSource,
        Field(discriminator="kind", examples=[{"kind": "file", "paths": ["clicks.parquet"]}]),
    ]


class JobChange(BaseModel):
    """What people say of a job: labels to find it by, and a note. ``null`` leaves what there is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Annotated[dict[LabelName, LabelValue] | None, Field(max_length=16, examples=[{"team": "ads"}])] = None
    note: Annotated[str | None, Field(max_length=10_000, examples=["the one for the paper"])] = None


class Extension(BaseModel):
    """More budget for a finished search: the limits to set. Totals count the trials that exist; others stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: Annotated[BudgetSpec, Field(examples=[{"trials": 128}])]


class AddedTasks(BaseModel):
    """Tasks to add to the system that a finished search has trained; what is left out is as it was there.

    ``route``: a finalist of the job, by default its best. ``data`` needs the old inputs, which are encoded as they
    were, and labels of all tasks. A search that was none by trials becomes ``evolution``; constraints are not kept, for
    they were meant for a smaller system.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: Annotated[
        tuple[TaskSpec, ...], AtMost(256), Field(min_length=1, examples=[[{"name": "refund", "kind": "binary"}]])
    ]
    route: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    data: DataSpec | None = None
    search: SampledSearch | None = None
    training: TrainingSpec | None = None
    budget: BudgetSpec | None = None
