"""The audit: who changed what, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import Limit, StoreParam
from mtnas.messages import AuditEntry, AuditPage

router = APIRouter(prefix="/v1/audit", tags=["system"])
Text = Annotated[str | None, Query(max_length=200)]


@router.get("")
def list_audit(
    store: StoreParam, actor: Text = None, owner: Text = None, limit: Limit = 100, cursor: Text = None
) -> AuditPage:
    """Every request that would change something, newest first: who sent it, and how it was answered. For admins."""
    found = store.audit.list(actor=actor, owner=owner, limit=limit, before=cursor)
    items = tuple(AuditEntry.model_validate(record) for record in found)
    return AuditPage(items=items, next=found[-1].id if len(found) == limit else None)
