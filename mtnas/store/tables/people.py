"""Who may use the service, and what they did."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, UniqueConstraint

from mtnas.store.records import TokenRole
from mtnas.store.sql.clock import UtcDateTime
from mtnas.store.tables.schema import METADATA, choice, created

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", choice(TokenRole, "role"), nullable=False),
    Column("sha256", String, nullable=False),
    created("created_at"),
    Column("revoked_at", UtcDateTime),
    Column("owner", String, nullable=False, server_default="local"),
    UniqueConstraint("sha256"),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", String, primary_key=True),
    created("at"),
    Column("actor", String, nullable=False),  # the token's name, or what else let them in
    Column("owner", String, nullable=False),
    Column("role", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("request_id", String, nullable=False),
    Index(None, "actor", "id"),
)
