"""The web server in a thread of the tests, over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.__main__ import server_of
from api.app import create_app
from api.settings import Settings
from tests.api.process import free_port
from tests.waiting import wait_for


@contextmanager
def listening(home: Path, **settings: Any) -> Iterator[int]:
    """The port of a running server."""
    chosen = Settings(home=home, port=free_port(), **settings)
    server = server_of(create_app(chosen), chosen)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield chosen.port
    finally:
        server.should_exit = True
        thread.join(30)


def said(port: int, *chunks: bytes, timeout_s: float = 10.0) -> bytes:
    """What the server answers to these bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        for chunk in chunks:
            connection.sendall(chunk)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer
