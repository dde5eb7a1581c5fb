"""The database's clock, and times as both databases keep them: aware and in UTC, to the millisecond in SQLite."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Float, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_SQLITE_FORMAT = "%Y-%m-%d %H:%M:%f"  # text of one length, so that its order is the order of the times


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC: `timestamptz` in PostgreSQL, `2026-01-31 23:59:59.999` in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text in SQLite, which has no type for times."""
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times: they mean different moments on different machines."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"times must be aware, found {value!r}")
        value = value.astimezone(UTC)
        if dialect.name != "sqlite":
            return value
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Back to an aware time in UTC."""
        if value is None:
            return None
        return datetime.fromisoformat(value).replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class SecondsFromNow(FunctionElement[datetime]):
    """The moment so many seconds after the statement began, by the database's clock."""

    type = UtcDateTime()
    inherit_cache = True
    name = "seconds_from_now"


def seconds_from_now(seconds: float) -> SecondsFromNow:
    """An expression for the moment `seconds` after the statement began; negative for the past."""
    return SecondsFromNow(bindparam(None, float(seconds), type_=Float(), unique=True))


def now() -> SecondsFromNow:
    """An expression for the moment at which the statement began."""
    return seconds_from_now(0.0)


@compiles(SecondsFromNow, "sqlite")
def _in_sqlite(element: SecondsFromNow, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('{_SQLITE_FORMAT}', 'now', printf('%+.3f seconds', {seconds}))"


@compiles(SecondsFromNow, "postgresql")
def _in_postgresql(element: SecondsFromNow, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(statement_timestamp() + make_interval(secs => {seconds}))"
