"""What happened at the border is told: a line of the log for every request, an entry of the audit for every change."""

from __future__ import annotations

import logging
import re
import time

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Identity
from api.answers.metrics import Requests
from mtnas.errors import StoreError
from mtnas.store import Store
from mtnas.store.sql.identifiers import new_id

_log = logging.getLogger("mtnas.requests")
_GIVEN_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Telling:
    """ASGI middleware that gives every request an id (``X-Request-ID``, kept where the client has sent one)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and tell what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else new_id()
        status, began = 0, time.monotonic()

        async def send_told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_told)
        finally:
            identity: Identity | None = scope.get("identity")
            fields = {"method": scope["method"], "path": scope["path"], "status": status, "request_id": request_id}
            who = "nobody" if identity is None else identity.name
            seconds = time.monotonic() - began
            _log.info("request", extra=fields | {"actor": who, "ms": round(1000 * seconds, 1)})
            requests: Requests = scope["app"].state.requests
            requests.note(scope["method"], status, seconds)
            if scope["method"] not in _SAFE_METHODS and identity is not None:
                await run_in_threadpool(_audit, scope, identity, status, request_id)


def _audit(scope: Scope, identity: Identity, status: int, request_id: str) -> None:
    store: Store = scope["app"].state.store
    try:
        store.audit.add(
            actor=identity.name,
            owner=identity.owner,
            role=identity.role,
            action=scope["method"],
            target=scope["path"],
            status=status,
            request_id=request_id,
        )
    except StoreError as error:  # what was done is done, and the log has it
        _log.error("audit failed", extra={"request_id": request_id, "error": str(error)})
