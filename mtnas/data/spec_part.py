"""What every part of a specification has in common."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator

from mtnas.data.lengths import too_many

MAX_FIELDS = 100


class Part(BaseModel):
    """A part of the specification: unknown fields are refused, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: object) -> object:
        if isinstance(value, Mapping) and len(value) > MAX_FIELDS:  # each unknown one would be told of
            raise too_many(len(value), most=MAX_FIELDS)
        return value
