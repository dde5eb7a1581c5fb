"""What may be sent to the service, besides job specifications (``mtnas.spec``); answers are in ``mtnas.messages``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mtnas.data.spec import CatalogueSource, FileSource


class NewDataset(BaseModel):
    """A data set to register: a name, and where its rows are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$", examples=["clicks-2026"])]
    source: Annotated[
        CatalogueSource | FileSource,
        Field(discriminator="kind", examples=[{"kind": "file", "paths": ["clicks.parquet"]}]),
    ]
