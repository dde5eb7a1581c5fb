"""Health: is the process up, and can it serve."""

from __future__ import annotations

from fastapi import APIRouter

import mtnas
from api.dependencies import StoreParam
from mtnas.messages import Health

router = APIRouter(tags=["health"])


@router.get("/healthz")
def get_health() -> Health:
    """Whether the process is up."""
    return Health(status="ok", version=mtnas.__version__)


@router.get("/readyz")
def get_readiness(store: StoreParam) -> Health:
    """Whether the database can be reached and has the newest tables."""
    store.check()
    return Health(status="ready", version=mtnas.__version__)
