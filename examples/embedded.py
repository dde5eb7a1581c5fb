"""The embedded service for scripts: ``mtnas serve`` on a free port as a child process, and a client for it."""

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
from mtnas.errors import MtnasError

START_S, END_S = 90.0, 60.0


@contextmanager
def embedded_service(home: Path) -> Iterator[Client]:
    """A client of a service that ends with the block; state and logs lie below ``home``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mtnas.cli", "serve", "--port", str(port), "--home", str(home)]
    service = subprocess.Popen(command, env=dict(os.environ) | {"OMP_NUM_THREADS": "1"})
    try:
        with Client(f"http://127.0.0.1:{port}") as client:
            _wait_until_ready(client, service)
            yield client
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(END_S)


def _wait_until_ready(client: Client, service: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            client.ready()
            return
        except MtnasError:
            if service.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.3)
