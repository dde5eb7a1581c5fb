"""From rows to records: which columns a record needs, and the record of a row."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar, cast

from sqlalchemy import Column, Row, Table

from mtnas.errors import NotFoundError

R = TypeVar("R")
AnyRow = Row[*tuple[Any, ...]]


def columns_of(record: type[R], table: Table) -> list[Column[Any]]:
    """The columns named like the fields of a record (a dataclass)."""
    return [table.columns[field.name] for field in fields(cast(Any, record))]


def as_record(record: type[R], row: AnyRow) -> R:
    """The record of a row that has exactly its columns."""
    return record(**row._mapping)


def found(record: type[R], row: AnyRow | None, *, noun: str, name: str) -> R:
    """The record of a row that must be there.

    Raises:
        NotFoundError: it is not.
    """
    if row is None:
        raise missing(noun, name)
    return as_record(record, row)


def missing(noun: str, name: str) -> NotFoundError:
    """The error for something that is not there, or belongs to somebody else."""
    return NotFoundError(expected=f"a known {noun}", found=repr(name), where=noun)
