"""The commands of the compose file, run here without containers: a head, a node, a worker that joins, and a job."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import search_spaces
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec
from mtnas.store import JobKind, JobState, Store
from tests.lean import NO_MODELS
from tests.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
SPEC: dict[str, Any] = {
    "name": "composed",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 600, "num_tasks": 2, "dims": 8}}},
    "tasks": [{"name": f"t{n}", "kind": "regression", "label": f"task_{n}", "tower": [8]} for n in range(2)],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
    "search": {"kind": "random", "generation": 2},
    "training": {"batch_size": 128, "epochs": 1, "lr": 0.01},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "seeds": 1,
        "finalists": 1,
        "baselines": ["shared_bottom"],
    },
    "budget": {"trials": 2},
    "export": {"top": 0},
}


class Containers:
    """Processes in place of containers: the same commands, on this machine's addresses."""

    def __init__(self, folder: Path) -> None:
        self._services = yaml.safe_load(COMPOSE.read_text())["services"]
        self._folder, self._started = folder, list[subprocess.Popen[bytes]]()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text("5" * 64)
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "MTNAS_HOME": str(folder / "home"),
            "MTNAS_POLL_S": "0.2",
            "MTNAS_RAY_ADDRESS": self.here(self._services["worker"]["environment"]["MTNAS_RAY_ADDRESS"]),
            "RAY_AUTH_MODE": self._services["worker"]["environment"]["RAY_AUTH_MODE"],
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_TMPDIR": str(folder),
        }
        (folder / "ray").mkdir()

    def here(self, text: str) -> str:
        """A command as it must be on this machine: other ports, less memory, few processors."""
        text = re.sub(r"(ray-head|127\.0\.0\.1):6379", f"127.0.0.1:{self.port}", text).replace(
            "--port=6379", f"--port={self.port}"
        )
        text = re.sub(r"--object-store-memory=\d+", "--object-store-memory=100000000", text)
        return text.replace("ray start --address", "ray start --num-cpus=2 --address")

    def up(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service."""
        command = [self.here(word) for word in self._services[name]["command"]]
        with (self._folder / f"{name}.log").open("ab") as log:
            self._started.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))
        return self._started[-1]

    def is_healthy(self, name: str) -> bool:
        """What the service's health check says."""
        _, *command = self._services[name]["healthcheck"]["test"]
        words = [self.here(word) for word in command]
        return subprocess.run(words, env=self.environment, capture_output=True, check=False).returncode == 0

    def log(self, name: str) -> str:
        """What a service has written."""
        return (self._folder / f"{name}.log").read_text()

    def down(self) -> None:
        """End everything that was started, and what it has started."""
        for process in reversed(self._started):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        for commandline in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                belongs = str(self._folder).encode() in commandline.read_bytes()
            except OSError:
                continue
            if belongs and int(commandline.parent.name) != os.getpid():
                os.kill(int(commandline.parent.name), signal.SIGKILL)


@pytest.fixture
def containers() -> Iterator[Containers]:
    # Ray's sockets lie below this folder, and their paths may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="composed-"))
    found = Containers(folder)
    yield found
    found.down()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_commands_of_the_compose_file_run_a_job(containers: Containers) -> None:
    home = Path(containers.environment["MTNAS_HOME"])
    head = containers.up("ray-head")
    wait_for(lambda: containers.is_healthy("ray-head"), told=lambda: containers.log("ray-head"))
    with Store.open(f"sqlite:///{home / 'mtnas.sqlite'}", artifacts=home / "artifacts") as store:
        spec = expanded(JobSpec.model_validate(SPEC), search_spaces.build)
        job, _ = store.jobs.submit(JobKind.SEARCH, spec.name, spec.model_dump(mode="json"))
        worker = containers.up("worker")
        wait_for(lambda: store.jobs.get(job.id).state.is_final, told=lambda: containers.log("worker"))
        assert store.jobs.get(job.id).state is JobState.SUCCEEDED, containers.log("worker")
        places = {trial.place.actor for trial in store.trials.list(job.id, limit=None) if trial.place is not None}
    assert places
    assert None not in places
    assert containers.is_healthy("worker")
    assert '"event": "ray joined"' in containers.log("worker")
    assert head.poll() is None
    worker.terminate()
    assert worker.wait(120) == 0


def test_a_worker_says_what_is_wrong_with_a_dead_cluster(containers: Containers) -> None:
    command = [sys.executable, "-m", "workers"]
    worker = subprocess.run(
        command, env=containers.environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert worker.returncode == 2
    assert "expected a Ray cluster whose token is the one in RAY_AUTH_TOKEN_PATH" in worker.stderr
