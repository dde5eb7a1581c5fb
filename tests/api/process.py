"""The web process as a child of the tests: started as users start it, reached over a socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtnas.client import Client
from mtnas.errors import ServiceError


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def serving(home: Path, *command: str, port: int | None = None) -> Iterator[str]:
    """The address of a service over the store below ``home``; by default ``python -m api`` on a free port."""
    port = port or free_port()
    environment = os.environ | {"MTNAS_HOME": str(home), "MTNAS_PORT": str(port), "MTNAS_EVENTS_POLL_S": "0.05"}
    process = subprocess.Popen([sys.executable, *(command or ("-m", "api"))], env=environment)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_until_ready(url: str, *, timeout_s: float = 120.0) -> None:
    """Wait for a service to say that it is ready."""
    deadline = time.monotonic() + timeout_s
    with Client(url) as client:
        while True:
            try:
                client.ready()
                return
            except ServiceError:
                assert time.monotonic() < deadline, f"no service on {url}"
                time.sleep(0.1)
