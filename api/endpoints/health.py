"""Health: is the process up, and can it serve."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

import mtnas
from api.answers.metrics import CONTENT_TYPE, Requests, metrics
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


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_metrics(request: Request, store: StoreParam) -> Response:
    """Queue, leases, phases, throughput, workers and requests, for Prometheus. For admins, since it names all jobs."""
    requests: Requests = request.app.state.requests
    return Response(metrics(store, requests), media_type=CONTENT_TYPE)
