"""``mtnas serve``: one command starts all, starts a dead worker again, leaves nothing behind. Real Ray."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mtnas.client import Client
from mtnas.errors import MtnasError
from mtnas.store import Store
from tests.api.process import free_port, wait_until_ready

pytestmark = pytest.mark.system

SPEC: dict[str, Any] = {
    "name": "long",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 2000, "num_tasks": 2, "dims": 8}}},
    "tasks": [{"name": f"t{n}", "kind": "regression", "label": f"task_{n}", "tower": [8]} for n in range(2)],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
    "training": {"batch_size": 16, "epochs": 200, "lr": {"grid": [0.002, 0.01]}},
    "protocol": {"level": "quick", "seeds": 2, "finalists": 1, "baselines": ["shared_bottom"]},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def served(home: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """A running service with short leases, and its client."""
    short = {"MTNAS_LEASE_S": "3", "MTNAS_HEARTBEAT_S": "0.5", "MTNAS_REAP_S": "0.5", "MTNAS_RAY_CPUS": "2"}
    port = free_port()
    command = [sys.executable, "-m", "mtnas.cli", "serve", "--port", str(port), "--home", str(home)]
    with (tmp_path / "serve.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | short, stdout=log, stderr=log, text=True)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", timeout_s=120)
        with Client(f"http://127.0.0.1:{port}") as client:
            yield process, client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def test_a_dead_worker_is_started_again_and_ctrl_c_leaves_nothing_behind(
    served: tuple[subprocess.Popen[str], Client], home: Path, tmp_path: Path
) -> None:
    process, client = served
    first = _wait(lambda: _workers(home)[0])
    os.kill(first, signal.SIGKILL)
    second = _wait(lambda: _workers(home)[1])
    assert "the worker died (killed by SIGKILL)" in (tmp_path / "serve.log").read_text()

    job = client.submit(SPEC)
    _wait(lambda: client.job(job.id).progress.get("share"))
    assert client.job(job.id).worker.endswith(f"/{second}")

    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0
    with Store.open(f"sqlite:///{home / 'mtnas.sqlite'}", artifacts=home / "artifacts") as store:
        given_back = store.jobs.get(job.id)
    assert (given_back.state, given_back.attempts_used) == ("queued", 0)
    assert "did not end" not in (tmp_path / "serve.log").read_text()
    _wait(lambda: not _processes_of(home))
    with pytest.raises(MtnasError):
        client.jobs()


def _workers(home: Path) -> list[int]:
    """Process ids of the workers that became ready, in the order of time."""
    log = (home / "logs" / "worker.log").read_text()
    return [int(found) for found in re.findall(r'"event": "worker ready", "worker": "[^"]*/(\d+)"', log)]


def _processes_of(home: Path) -> list[int]:
    """Every process that was started for this service, Ray's included: all inherit the environment."""
    mark, found = f"MTNAS_HOME={home}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _wait(look: Callable[[], Any], *, timeout_s: float = 120.0) -> Any:
    """What ``look`` gives, once it neither raises for want of a log nor gives something empty."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if (found := look()) or found is True:
                return found
        except (IndexError, FileNotFoundError):
            pass
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
