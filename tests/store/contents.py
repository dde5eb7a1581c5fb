"""Everything a database holds, to compare before and after."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from mtnas.store.database import Database
from mtnas.store.tables import METADATA


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, sorted."""
    database = Database(url)
    try:
        with database.read() as connection:
            return {
                table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for table in METADATA.sorted_tables
            }
    finally:
        database.close()
