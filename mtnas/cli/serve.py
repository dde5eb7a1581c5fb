"""``mtnas serve``: the API and two workers as child processes, kept running until a signal comes.

One worker takes all jobs, one only those that are short: they do not wait for a search to end.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
from pathlib import Path

import httpx

import mtnas
from mtnas.cli.child import Child
from mtnas.errors import ServiceError, StoreError
from mtnas.places import Places
from mtnas.processes import PARENT_VARIABLE, set_on_signal, worker_name
from mtnas.store import Store
from mtnas.store.jobs.submission import SHORT_KINDS

PYTHON = (sys.executable, "-P", "-m")
"""Without the folder that the command was called in, where an ``api`` of others may lie."""
READY_S, LOOK_S = 60.0, 0.2
WORKER_END_S, API_END_S = 20.0, 6.0


def serve(*, host: str, port: int, home: Path, data_roots: tuple[Path, ...]) -> None:
    """Start all, say where, restart what dies, and end all on SIGINT or SIGTERM.

    Raises:
        ServiceError: the port is taken, or the API did not become ready.
    """
    _check_free(host, port)
    stop = threading.Event()
    set_on_signal(stop)
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = _environment(host=host, port=port, home=home, data_roots=data_roots)
    api = Child("api", (*PYTHON, "api"), environment, log=logs / "api.log", end_s=API_END_S)
    worker = Child("worker", (*PYTHON, "workers"), environment, log=logs / "worker.log", end_s=WORKER_END_S)
    short = Child(
        "worker for short jobs",
        (*PYTHON, "workers"),
        environment | {"MTNAS_KINDS": ",".join(SHORT_KINDS), "MTNAS_EXECUTOR": "local"},
        log=logs / "short-worker.log",
        end_s=WORKER_END_S,
    )
    url = _url(host, port)
    try:
        api.start()
        _wait_until_ready(api, url, stop)
        worker.start()
        short.start()
        if not stop.is_set():
            print(f"mtnas: serving on {url} (documentation: {url}/docs; state and logs: {home})", flush=True)
        while not stop.wait(LOOK_S):
            for child in (api, worker, short):
                child.rotate_log()
                if (process := child.restart_if_dead()) is not None and child is not api:
                    _let_go(process, home)
    finally:
        # The worker first: it gives its job back, and whoever watches can still read that.
        for child in (worker, short, api):
            child.end()


def _check_free(host: str, port: int) -> None:
    """Refuse a port that somebody listens on: it would answer in our place.

    Raises:
        ServiceError: somebody does.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host.strip("[]"), port))
        except OSError as error:
            raise ServiceError(
                expected="a free port (--port)", found=_holder(host, port, error), where=f"{host}:{port}"
            ) from error


def _holder(host: str, port: int, error: OSError) -> str:
    """Who holds a port, as far as it says."""
    try:
        said = httpx.get(f"{_url(host, port)}/healthz", timeout=2.0, trust_env=False).json()
        return f"another mtnas ({said['version']}) that serves there"
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return f"{error.strerror}: another program has it" if error.errno == errno.EADDRINUSE else str(error)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _let_go(process: int, home: Path) -> None:
    """Give back at once what a dead worker held: nobody has to wait for its lease to run out."""
    places = Places(home=home.absolute())
    try:
        with Store.open(places.database, artifacts=places.artifacts) as store:
            store.leases.reap(worker=worker_name(process))
            store.workers.leave(worker_name(process))
    except StoreError as error:
        print(f"mtnas: the dead worker's jobs wait for their leases to run out ({error})", file=sys.stderr, flush=True)


def service_folder() -> Path:
    """Where ``api`` and ``workers`` lie: beside ``mtnas`` in a checkout, in a folder of their own when installed."""
    beside = Path(mtnas.__file__).parents[1]
    return installed if (installed := beside / "mtnas_service").is_dir() else beside


def _environment(*, host: str, port: int, home: Path, data_roots: tuple[Path, ...]) -> dict[str, str]:
    environment = dict(os.environ) | {
        "MTNAS_HOST": host,
        "MTNAS_PORT": str(port),
        "MTNAS_HOME": str(home.absolute()),
        "PYTHONPATH": os.pathsep.join([str(service_folder()), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        PARENT_VARIABLE: str(os.getpid()),
    }
    if data_roots:
        environment["MTNAS_DATA_ROOTS"] = os.pathsep.join(str(root.absolute()) for root in data_roots)
    return environment


def _wait_until_ready(api: Child, url: str, stop: threading.Event) -> None:
    deadline = time.monotonic() + READY_S
    with httpx.Client(trust_env=False, timeout=2.0) as http:
        while not stop.wait(LOOK_S):
            try:
                if http.get(f"{url}/readyz").is_success and api.is_alive():
                    return
            except httpx.TransportError:
                pass
            if not api.is_alive() or time.monotonic() > deadline:
                raise ServiceError(
                    expected="the API to become ready", found=api.last_words(), where=f"{url}, see {api.log}"
                )
