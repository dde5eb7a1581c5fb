"""Bearer tokens: only their hashes are kept, so that whoever reads the database can use none of them."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import insert, select, update

from mtnas.store.database import Database
from mtnas.store.records import TokenRecord, TokenRole
from mtnas.store.sql.clock import now
from mtnas.store.sql.finite_json import clean_text
from mtnas.store.sql.identifiers import new_id
from mtnas.store.sql.record_columns import as_record, columns_of, missing
from mtnas.store.tables import TOKENS

_COLUMNS = columns_of(TokenRecord, TOKENS)
PREFIX = "mtnas_"
"""What every token begins with, so that people and scanners of secrets know one when they see it."""


class Tokens:
    """The tokens of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, role: TokenRole, *, owner: str = "local") -> tuple[TokenRecord, str]:
        """Make a token. Its text is given here and never again: 256 random bits after a prefix.

        Args:
            name: whose it is, or what for.
            role: what its bearer may do.
            owner: whose jobs and data sets its bearer works on; several tokens may share one.
        """
        text = PREFIX + secrets.token_urlsafe(32)
        row = {
            "id": new_id(),
            "name": clean_text(name),
            "role": role,
            "owner": clean_text(owner),
            "sha256": sha256_of(text),
        }
        with self._database.write() as connection:
            made = connection.execute(insert(TOKENS).values(row).returning(*_COLUMNS)).one()
        return as_record(TokenRecord, made), text

    def list(self) -> tuple[TokenRecord, ...]:
        """All tokens, revoked ones included, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(TOKENS.c.id))
            return tuple(as_record(TokenRecord, row) for row in rows)

    def revoke(self, token_id: str) -> TokenRecord:
        """Let a token open nothing any more. Revoking again changes nothing.

        Raises:
            NotFoundError: no such token.
        """
        this = TOKENS.c.id == token_id
        with self._database.write() as connection:
            connection.execute(update(TOKENS).where(this, TOKENS.c.revoked_at.is_(None)).values(revoked_at=now()))
            row = connection.execute(select(*_COLUMNS).where(this)).one_or_none()
        if row is None:
            raise missing("token", token_id)
        return as_record(TokenRecord, row)


def sha256_of(text: str) -> str:
    """The hash by which a token is known. It has enough random bits that nobody can try them all."""
    return hashlib.sha256(text.encode()).hexdigest()
