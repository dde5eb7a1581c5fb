"""How the values of a column are stored, and of what kind that makes them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mtnas.data.columns.image_columns import is_image
from mtnas.data.columns.value_text import ValueKind

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column


class Storage(StrEnum):
    """How a column's values are stored."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    TIME = "time"
    NUMBER_LIST = "number_list"
    TEXT_LIST = "text_list"
    IMAGE = "image"
    EMPTY = "empty"
    OTHER = "other"


_VALUE_KINDS: dict[Storage, ValueKind] = {
    Storage.INTEGER: "integer",
    Storage.NUMBER: "number",
    Storage.BOOLEAN: "boolean",
    Storage.TIME: "time",
}


SEVERAL_VALUES = (Storage.NUMBER_LIST, Storage.TEXT_LIST, Storage.IMAGE, Storage.OTHER)


def storage_of(column: Column) -> Storage:
    """How the column's values are stored."""
    return storage_of_type(column.type)


def storage_of_type(kind: Any) -> Storage:
    """How values of a type are stored."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    types = pa.types
    if is_image(kind):
        return Storage.IMAGE
    if types.is_boolean(kind):
        return Storage.BOOLEAN
    if types.is_integer(kind):
        return Storage.INTEGER
    if types.is_floating(kind) or types.is_decimal(kind) or types.is_duration(kind):
        return Storage.NUMBER
    if _is_text(kind):
        return Storage.TEXT
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind):
        return Storage.TIME
    if types.is_null(kind):
        return Storage.EMPTY
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = kind.value_type
        if types.is_integer(inner) or types.is_floating(inner):
            return Storage.NUMBER_LIST
        return Storage.TEXT_LIST if _is_text(inner) else Storage.OTHER
    return Storage.OTHER


def value_kind_of(column: Column) -> ValueKind:
    """Of what kind its values are, or the elements of its lists."""
    return value_kind_of_type(column.type)


def value_kind_of_type(kind: Any) -> ValueKind:
    """Of what kind values of a type are, or the elements of its lists."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return value_kind_of_type(kind.value_type)
    return kind_of_storage(storage_of_type(kind))


def kind_of_storage(storage: Storage) -> ValueKind:
    """Of what kind values are that are stored so."""
    return _VALUE_KINDS.get(storage, "text")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
