"""The path below which a reverse proxy shows the service, whether the proxy strips it from requests or not."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class BelowPath:
    """ASGI middleware that tells the application where it is seen, as ASGI wants it: ``path`` begins with that."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on with both paths."""
        if scope["type"] == "http" and self._root_path:
            path, prefix = scope["path"], self._root_path
            below = path if path == prefix or path.startswith(f"{prefix}/") else prefix + path
            scope = {**scope, "root_path": prefix, "path": below}
        await self._app(scope, receive, send)
