"""The audit: who did what, and what came of it. Rows are added and, when they are old, removed; never changed."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from mtnas.store.database import Database
from mtnas.store.records import AuditRecord
from mtnas.store.sql.clock import seconds_from_now
from mtnas.store.sql.finite_json import clean_text
from mtnas.store.sql.identifiers import new_id
from mtnas.store.sql.record_columns import as_record, columns_of
from mtnas.store.tables import AUDIT

_MOST_TEXT = 500


class Audit:
    """The audit of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, *, actor: str, owner: str, role: str, action: str, target: str, status: int = 200, request_id: str = ""
    ) -> None:
        """Write down what somebody did."""
        given = {"actor": actor, "owner": owner, "role": role, "action": action, "target": target}
        texts = {name: clean_text(value)[:_MOST_TEXT] for name, value in (given | {"request_id": request_id}).items()}
        with self._database.write() as connection:
            connection.execute(insert(AUDIT).values(id=new_id(), status=status, **texts))

    def list(
        self, *, actor: str | None = None, owner: str | None = None, limit: int = 100, before: str | None = None
    ) -> tuple[AuditRecord, ...]:
        """What was done, newest first, before the entry `before`."""
        query = select(*columns_of(AuditRecord, AUDIT)).order_by(AUDIT.c.id.desc()).limit(limit)
        for column, value in ((AUDIT.c.actor, actor), (AUDIT.c.owner, owner)):
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(AUDIT.c.id < before)
        with self._database.read() as connection:
            return tuple(as_record(AuditRecord, row) for row in connection.execute(query))

    def forget(self, *, older_than_s: float) -> int:
        """Remove entries that are older; gives how many."""
        with self._database.write() as connection:
            return connection.execute(delete(AUDIT).where(AUDIT.c.at < seconds_from_now(-older_than_s))).rowcount
