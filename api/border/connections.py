"""Connections of the server: those that begin a request and do not go on with it are cut.

uvicorn waits for ever for the rest of a request line or of headers; so many idle connections would take all
descriptors. Bodies are waited for in ``api.security``, which sees them come.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 15.0
"""Seconds between the first byte of a request, or a connection without any, and the end of its headers."""


class PatientlessProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end to waiting for headers."""

    _cutting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection without a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """More of a request: waiting goes on while headers are not complete, and ends when they are."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and data:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to cut any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._cutting is None:
            self._cutting = self.loop.call_later(HEADERS_S, self._cut)

    def _stop_waiting(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None

    def _cut(self) -> None:
        self._cutting = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
