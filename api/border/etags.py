"""ETags: an answer that the client has already is not sent again (RFC 9110 section 13.1.2)."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 4 * 2**20
"""Longer answers, and such as come in parts, go out as they are."""


class EntityTags:
    """ASGI middleware that tags every JSON answer to GET by its bytes, and says 304 to ``If-None-Match``.

    Answers say ``no-cache`` then: ask again, and hear that nothing has changed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and tag the answer."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        wanted = [tag.strip().removeprefix("W/") for tag in Headers(scope=scope).get("if-none-match", "").split(",")]
        start: Message | None = None

        async def send_tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _can_be_tagged(message):
                start = message
                return
            if start is not None:
                body = message.get("body", b"")
                if not message.get("more_body", False):
                    message = _tagged(start, body, wanted, message)
                await send(start)
                start = None
            await send(message)

        await self._app(scope, receive, send_tagged)


def _can_be_tagged(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_json = headers.get("content-type", "").partition(";")[0] == "application/json"
    length = headers.get("content-length", "")
    is_short = length.isdecimal() and int(length) <= MOST_BYTES
    return start["status"] == 200 and is_json and is_short and "etag" not in headers


def _tagged(start: Message, body: bytes, wanted: list[str], message: Message) -> Message:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    start["headers"] = [*start["headers"], (b"etag", tag.encode()), (b"cache-control", b"private, no-cache")]
    if tag not in wanted and "*" not in wanted:
        return message
    start["status"] = 304
    start["headers"] = [(name, value) for name, value in start["headers"] if not name.startswith(b"content-")]
    return {**message, "body": b""}
