"""The Ray cluster: one of our own on this machine, or one that is there already. Tokens are on, reports are off."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtnas.errors import ServiceError
from workers.settings import Settings

TOKEN_VARIABLE = "RAY_AUTH_TOKEN_PATH"
"""Ray's own variable: names the file of the token that all processes of a cluster share."""

FOLDER_PREFIX = "mtnas-"
"""Temporary folders of a worker are named so, then by its process: what a killed one left is deleted by the next."""
CONNECT_S = 5.0

_log = logging.getLogger(__name__)


@contextmanager
def cluster(settings: Settings) -> Iterator[None]:
    """Be connected to Ray inside the context; a cluster of our own ends with it.

    Must be entered before anything imports ray, which reads the environment when it is imported.
    """
    # Actors stay in the folder they were started in, also those that Tune starts.
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="token", RAY_CHDIR_TO_TRIAL_DIR="0")
    remove_leftovers()
    if settings.ray_address is None:
        with _own_cluster(settings):
            yield
    else:
        with _joined_cluster(settings.ray_address):
            yield


@contextmanager
def _own_cluster(settings: Settings) -> Iterator[None]:
    # Ray puts sockets below this folder, and their paths may have 107 characters: so not below the service's home.
    # It opens the folder that it is given to everybody (mode 0777): the one around it is this user's alone.
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
    if TOKEN_VARIABLE not in os.environ:
        os.environ[TOKEN_VARIABLE] = str(write_token(folder))
    import ray

    try:
        # Without "local", init joins whatever cluster the machine's default temporary folder names.
        ray.init(
            address="local",
            _temp_dir=str(folder / "r"),
            include_dashboard=False,
            num_cpus=settings.ray_cpus or physical_cpus(),
            object_store_memory=settings.ray_object_store_mib * 2**20,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        _log.info("ray started", extra={"address": ray.get_runtime_context().gcs_address})
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _joined_cluster(address: str) -> Iterator[None]:
    _require_open(address)
    import ray

    try:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ray.exceptions.RayError) as error:
            raise _unreachable(address, error) from error
        _log.info("ray joined", extra={"address": address})
        yield
    finally:
        ray.shutdown()


def _require_open(address: str) -> None:
    """Refuse a dead address at once; Ray would try for minutes, and then end the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> ServiceError:
    return ServiceError(
        expected=f"a Ray cluster whose token is the one in {TOKEN_VARIABLE}",
        found=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
        where=f"MTNAS_RAY_ADDRESS={address}",
    )


def write_token(folder: Path) -> Path:
    """A fresh token in a file that only this user can read."""
    path = folder / "token"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    return path


def physical_cpus() -> int:
    """Physical cores among the processors that this process may use; hyper-threads of one core count once."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(path.read_text() if path.is_file() else str(cpu))
    return len(cores)


def remove_leftovers() -> None:
    """Delete the folders of clusters whose worker was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}[0-9]*-*"):
        pid = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if pid.isdecimal() and not _is_alive(int(pid)) and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
