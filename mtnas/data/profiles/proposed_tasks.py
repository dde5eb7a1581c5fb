"""Tasks as people name them, and what kind a label column looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtnas.data.columns.storage import Storage
from mtnas.data.profiles.profile import ColumnProfile, Profile
from mtnas.errors import SpecError
from mtnas.tasks import TaskKind

MOST_CLASSES = 50
KINDS = tuple(str(kind) for kind in TaskKind)

Named = str | Mapping[str, Any]
"""A column name, ``column:kind``, or a task as in a job specification."""


def tasks_from(named: Sequence[Named] | Mapping[str, str], profile: Profile) -> list[dict[str, Any]]:
    """Tasks of a job specification.

    Args:
        named: label columns, with a kind or without; a mapping is column to kind.
        profile: of the data: kinds that are not said are judged by it.

    Raises:
        SpecError: no tasks, no such column, no such kind, or a column that no kind fits.
    """
    given = [f"{column}:{kind}" for column, kind in named.items()] if isinstance(named, Mapping) else list(named)
    if not given:
        raise SpecError(expected="at least one task", found="none", where="tasks")
    return [_task(one, profile) for one in given]


def proposed_tasks(profile: Profile) -> list[dict[str, Any]]:
    """Tasks that a job could have: a column with two values each, as labels mostly are."""
    return tasks_from(named, profile) if (named := proposed_labels(profile)) else []


def proposed_labels(profile: Profile) -> list[str]:
    """Columns with two values."""
    return [one.name for one in profile.columns if one.binary_rate is not None and one.distinct == 2]


def kind_of(column: ColumnProfile, *, num_rows: int) -> TaskKind:
    """The kind that the values look like: two are binary, few whole ones or texts are classes, other numbers values.

    Raises:
        SpecError: the column is constant, or holds texts that are all different, lists or images.
    """
    where = f"label {column.name!r}"
    distinct = column.distinct
    if distinct is None or column.storage in (Storage.OTHER, Storage.EMPTY):
        raise SpecError(expected="numbers or texts as labels", found=str(column.storage), where=where)
    if distinct < 2:
        raise SpecError(expected="at least two different labels", found=str(distinct), where=where)
    if distinct == 2:
        return TaskKind.BINARY
    numbers = column.storage in (Storage.INTEGER, Storage.NUMBER)
    few = distinct <= min(MOST_CLASSES, max(3, num_rows // 20))
    if numbers and not (column.whole and few):
        return TaskKind.REGRESSION
    if few:
        return TaskKind.MULTICLASS
    raise SpecError(expected=f"at most {MOST_CLASSES} classes", found=f"{distinct} different texts", where=where)


def _task(named: Named, profile: Profile) -> dict[str, Any]:
    if not isinstance(named, str):
        return dict(named)
    column_name, _, said = named.rpartition(":") if named.rpartition(":")[2] in KINDS else (named, "", "")
    column = profile.column(column_name)
    if column is None:
        known = ", ".join(one.name for one in profile.columns)
        raise SpecError(expected=f"a column of {known}", found=repr(column_name), where="tasks")
    kind = TaskKind(said) if said else kind_of(column, num_rows=profile.num_rows)
    task: dict[str, Any] = {"name": identifier(column_name), "kind": str(kind), "label": column_name}
    if kind is TaskKind.MULTICLASS:
        task["num_classes"] = column.distinct
    return task


def identifier(text: str) -> str:
    """A column's name as a task's: letters, digits and underscores."""
    plain = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in text)
    return plain if plain.isidentifier() else f"task_{plain}"
