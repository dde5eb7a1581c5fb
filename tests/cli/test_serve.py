"""``mtnas serve``: one command starts all, starts a dead worker again, leaves nothing behind. Real Ray."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtnas.client import Client
from mtnas.errors import MtnasError
from mtnas.store import Store
from tests.api.process import free_port, wait_until_ready
from tests.lean import NO_MODELS
from tests.waiting import wait_for

pytestmark = pytest.mark.system

SPEC: dict[str, Any] = {
    "name": "long",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 2000, "num_tasks": 2, "dims": 8}}},
    "tasks": [{"name": f"t{n}", "kind": "regression", "label": f"task_{n}", "tower": [8]} for n in range(2)],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
    "training": {"batch_size": 16, "epochs": 200, "lr": {"grid": [0.002, 0.01]}, "extend": 0},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "seeds": 2,
        "finalists": 1,
        "baselines": ["shared_bottom"],
    },
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
    first = wait_for(lambda: _nth_worker(home, 0))
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: _nth_worker(home, 1))
    assert "the worker died (killed by SIGKILL)" in (tmp_path / "serve.log").read_text()

    job = client.submit(SPEC)
    wait_for(lambda: client.job(job.id).progress.get("share"))
    assert client.job(job.id).worker.endswith(f"/{second}")

    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0
    with Store.open(f"sqlite:///{home / 'mtnas.sqlite'}", artifacts=home / "artifacts") as store:
        given_back = store.jobs.get(job.id)
    assert (given_back.state, given_back.attempts_used) == ("queued", 0)
    assert "did not end" not in (tmp_path / "serve.log").read_text()
    wait_for(lambda: not _processes_of(home))
    with pytest.raises(MtnasError):
        client.jobs()


def _nth_worker(home: Path, number: int) -> int | None:
    """Process id of that worker, counted in the order in which they became ready; ``None`` before it did."""
    log = home / "logs" / "worker.log"
    found = re.findall(r'"event": "worker ready", "worker": "[^"]*/(\d+)"', log.read_text() if log.exists() else "")
    return int(found[number]) if number < len(found) else None


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
