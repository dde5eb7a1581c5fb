"""What may be sent to the service, besides job specifications (``mtnas.spec``); answers are in ``mtnas.messages``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mtnas.data.spec import CatalogueSource, FileSource
from mtnas.search.limits import BudgetSpec


class NewDataset(BaseModel):
    """A data set to register: a name, and where its rows are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$", examples=["clicks-2026"])]
    source: Annotated[
        CatalogueSource | FileSource,
        Field(discriminator="kind", examples=[{"kind": "file", "paths": ["clicks.parquet"]}]),
    ]


class Extension(BaseModel):
    """More budget for a finished search: the limits to set. Totals count the trials that exist; others stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: Annotated[BudgetSpec, Field(examples=[{"trials": 128}])]
