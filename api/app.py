"""The web application: ``uvicorn api.app:app``, or ``python -m api``, which reads the address from the settings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

import mtnas
from api import dashboard, errors
from api.access import TokenBook
from api.answers.metrics import Requests
from api.answers.watching import Watch
from api.border.etags import EntityTags
from api.border.head import HeadAsGet
from api.border.root_path import BelowPath
from api.border.telling import Telling
from api.dashboard.rendering import problem_page
from api.endpoints import (
    audit,
    datasets,
    events,
    exports,
    health,
    jobs,
    routes,
    search_spaces,
    session,
    system,
    trials,
    uploads,
    verbs,
)
from api.security import BorderGuard, check_bind
from api.settings import Settings
from mtnas.messages import Problem
from mtnas.store import Store
from mtnas.store.jobs.reaper import Reaper

_DESCRIPTION = """
Neural architecture search for multi-task sharing routes. Submit a search (`POST /v1/jobs`), follow it
(`GET /v1/jobs/{job_id}/events`), query the routes it found, export one as a PyTorch module.
Every error is a problem document (RFC 9457).
"""

_PROBLEMS: dict[str, Any] = {
    "description": "What was expected, what was found, and where.",
    "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
}


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings; the store is opened when it starts.

    Raises:
        SpecError: the settings would open the service beyond this machine without tokens.
    """
    check_bind(settings)
    app = FastAPI(
        title="mtnas",
        version=mtnas.__version__,
        description=_DESCRIPTION,
        lifespan=_open_store,
        generate_unique_id_function=_operation_id,
        responses={"4XX": _PROBLEMS},
        docs_url=None,  # its page would load scripts from elsewhere; ours is one of the dashboard's
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.token_book = TokenBook(settings)
    app.state.requests = Requests()
    app.add_middleware(EntityTags)
    app.add_middleware(BorderGuard, settings=settings, book=app.state.token_book)
    app.add_middleware(Telling)
    app.add_middleware(HeadAsGet)
    app.add_middleware(BelowPath, root_path=settings.root_path)
    errors.install(app, problem_page)
    for module in (
        jobs,
        verbs,
        trials,
        routes,
        exports,
        events,
        search_spaces,
        datasets,
        uploads,
        system,
        audit,
        session,
        health,
    ):
        app.include_router(module.router)
    for router in (dashboard.actions, dashboard.pages, dashboard.reference):
        app.include_router(router)
    return app


PATIENCE_S = 8.0
"""How long a request waits for the database before its client is asked to come back."""
THREADS = 100
"""Requests at work at one time: six times as many as may wait to write, so that readers find a place."""


@asynccontextmanager
async def _open_store(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    settings.home.mkdir(parents=True, exist_ok=True)
    app.state.store = await run_in_threadpool(
        Store.open, settings.database, artifacts=settings.artifacts, patience_s=PATIENCE_S
    )
    current_default_thread_limiter().total_tokens = THREADS
    ended = threading.Event()
    reaper = Reaper(app.state.store.leases, every_s=settings.reap_s, shutdown=ended)
    reaper.start()
    app.state.watch = Watch(app.state.store, every_s=settings.events_poll_s)
    looking = asyncio.create_task(app.state.watch.run())
    try:
        yield
    finally:
        looking.cancel()
        ended.set()
        await run_in_threadpool(reaper.join)
        app.state.store.close()


def _operation_id(route: APIRoute) -> str:
    return route.name


def __getattr__(name: str) -> FastAPI:
    # Made on first use: importing this module must not read settings or refuse to start.
    if name == "app":
        return create_app(Settings())
    raise AttributeError(name)
