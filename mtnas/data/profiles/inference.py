"""Judging which columns are inputs, and of what kind, from what their profiles say."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

from mtnas.data.columns.storage import Storage
from mtnas.data.data_spec import Feature
from mtnas.data.profiles.profile import ColumnProfile

Kind: TypeAlias = Literal["numeric", "categorical", "dense_vector", "multi_valued", "image"]

_FEW_VALUES = 32  # whole numbers with so few values are codes as often as counts, and an embedding fits both
_ROWS_A_VALUE = 10  # few values must also come back, or ten rows of anything would be codes
_MANY_ROWS = 50  # below this, nothing is called unique
_NEARLY_ALL = 0.9
_ID_WORDS = frozenset(
    {"id", "ids", "uid", "guid", "uuid", "key", "code", "zip", "zipcode", "hash", "category", "categorical", "sparse"}
)


def infer_features(
    columns: Sequence[ColumnProfile], *, num_rows: int, never: Collection[str] = ()
) -> tuple[tuple[Feature, ...], dict[str, str]]:
    """The inputs among the columns, and why the others are none.

    Args:
        columns: what the columns hold.
        num_rows: rows of the table.
        never: columns that are no inputs whatever they hold: labels, the split's column, excluded ones.

    Returns:
        Features in the order of the columns; reason by name for columns that are left out. A column without any
        value is neither: it is an error when somebody uses it.
    """
    features: list[Feature] = []
    left_out: dict[str, str] = {}
    for column in columns:
        if column.name in never:
            continue
        judged = _judge(column, num_rows=num_rows)
        if isinstance(judged, Feature):
            features.append(judged)
        else:
            left_out[column.name] = judged
    return tuple(features), left_out


def _judge(column: ColumnProfile, *, num_rows: int) -> Feature | str:
    present = num_rows - column.missing
    if column.index:
        return "the index of a data frame, which is gone when rows are read again; name it as a feature to use it"
    if not column.name:
        return "a column without a name"
    if present == 0:
        return "no values"
    if column.distinct == 1 and not column.missing:
        return "one value in all rows"
    match column.storage:
        case Storage.BOOLEAN:
            return Feature(column=column.name, kind="categorical")
        case Storage.IMAGE:
            return Feature(column=column.name, kind="image")
        case Storage.TIME:
            return "a moment in time, which does not come back; name it as numeric to use it"
        case Storage.NUMBER_LIST if column.fractions:
            if column.length:
                return Feature(column=column.name, kind="dense_vector")
            return "lists of numbers of different lengths"
        case Storage.NUMBER_LIST | Storage.TEXT_LIST:
            return Feature(column=column.name, kind="multi_valued")
        case Storage.INTEGER | Storage.NUMBER:
            return _judge_numbers(column, present=present)
        case Storage.TEXT:
            return _judge_texts(column, present=present)
    return "values of a type that is no input"


def _judge_numbers(column: ColumnProfile, *, present: int) -> Feature | str:
    distinct = column.distinct or 0
    if not column.whole or column.infinities:
        return Feature(column=column.name, kind="numeric")
    if present >= _MANY_ROWS:
        width = (column.maximum or 0) - (column.minimum or 0) + 1
        if distinct == present == width:
            return "a row number"
        if _names_an_id(column.name) and distinct > _NEARLY_ALL * present:
            return "an identifier that is different in nearly every row"
    few = distinct <= min(_FEW_VALUES, present / _ROWS_A_VALUE)
    kind: Kind = "categorical" if few or _names_an_id(column.name) else "numeric"
    return Feature(column=column.name, kind=kind)


def _judge_texts(column: ColumnProfile, *, present: int) -> Feature | str:
    distinct = column.distinct or 0
    if column.numeric_share == 1.0:
        return _judge_numbers(column, present=present)
    if column.numeric_share > _NEARLY_ALL and distinct > _FEW_VALUES and not _names_an_id(column.name):
        return Feature(column=column.name, kind="numeric")  # a number column with a slip, which encoding will name
    if column.separator is not None and column.length is not None:
        kind: Kind = "dense_vector" if column.fractions else "multi_valued"
        return Feature(column=column.name, kind=kind, separator=column.separator)
    if column.separator is not None:
        return Feature(column=column.name, kind="multi_valued", separator=column.separator)
    if present >= _MANY_ROWS and distinct > _NEARLY_ALL * present:
        return "free text or an identifier, different in nearly every row"
    return Feature(column=column.name, kind="categorical")


def _names_an_id(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return any(word in _ID_WORDS for word in re.split(r"[^a-z]+", words))
