"""How long the texts and lists of a request may be: checked before a list's items are, so that no list costs more."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True, slots=True)
class AtMost:
    """A list, tuple or mapping of no more than ``most`` items.

    Pydantic's own ``max_length`` looks at every item of a tuple or mapping before it counts them, and tells of each.
    """

    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Count, then validate."""
        return core_schema.no_info_before_validator_function(self._counted, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The limit, where readers of the schema look for it."""
        told = handler(schema)
        told["maxProperties" if told.get("type") == "object" else "maxItems"] = self.most
        return told

    def _counted(self, value: Any) -> Any:
        if isinstance(value, Sized) and not isinstance(value, str) and len(value) > self.most:
            raise too_many(len(value), most=self.most)
        return value


def too_many(found: int, *, most: int) -> PydanticCustomError:
    """The error for so many items."""
    return PydanticCustomError("too_many", "at most {most} items", {"most": most, "found": f"{found} items"})


MAX_DEPTH = 12
"""Levels of a free document; none that mtnas writes has more than six."""


def _shallow(value: Any, *, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise PydanticCustomError(
            "too_deep", "at most {most} levels", {"most": MAX_DEPTH, "found": "a document of more"}
        )
    if isinstance(value, dict):
        for item in value.values():
            _shallow(item, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _shallow(item, depth=depth + 1)
    return value


def _short(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(value) > MAX_OPTION_VALUES:
        raise too_many(len(value), most=MAX_OPTION_VALUES)
    return value


MAX_OPTION_VALUES = 64
"""Values of one option of a search space or data set."""

Name = Annotated[str, Field(max_length=200)]
ColumnName = Annotated[str, Field(max_length=500)]
FilePath = Annotated[str, Field(max_length=4096)]
Options = Annotated[
    dict[Name, Annotated[Any, BeforeValidator(_short), BeforeValidator(_shallow)]],
    AtMost(64),
]
Document = Annotated[dict[Name, Any], AtMost(64), BeforeValidator(_shallow)]
"""A free JSON object of few members, such as a graph: what is within is read, and bounded, by whoever knows it."""
