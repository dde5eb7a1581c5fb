"""What all tables share: their metadata, names of constraints, and kinds of columns."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, Column, Enum, MetaData

from mtnas.store.sql.clock import UtcDateTime, now

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQL's NULL where a record says None, never JSON's null. Kept as text by both databases: PostgreSQL's JSONB would give
# 2.930751374890639e+16 back as an integer that differs from it.
JsonColumn = JSON(none_as_null=True)


def choice(choices: type[StrEnum], name: str) -> Enum:
    """Text that a check constraint holds to the values of an enumeration."""
    return Enum(
        choices,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda kind: [one.value for one in kind],
    )


def created(name: str) -> Column[datetime]:
    """The database's time when the row is inserted."""
    return Column(name, UtcDateTime, nullable=False, default=now())


def updated(name: str) -> Column[datetime]:
    """The database's time when the row is inserted or changed."""
    return Column(name, UtcDateTime, nullable=False, default=now(), onupdate=now())
