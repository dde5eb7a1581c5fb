"""A supervisor knows at once that its worker is dead: what that held goes back to the queue without waiting."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from mtnas.cli.child import Child
from mtnas.cli.serve import _check_free, _let_go
from mtnas.errors import ServiceError
from mtnas.places import Places
from mtnas.processes import worker_name
from mtnas.store import JobKind, JobState, Store
from tests.waiting import wait_for


def test_the_jobs_of_a_dead_child_are_queued_at_once(tmp_path: Path) -> None:
    child = Child("worker", (sys.executable, "-c", "pass"), os.environ, log=tmp_path / "log", end_s=1)
    child.start()
    wait_for(lambda: not child.is_alive())
    process = child.restart_if_dead()
    assert process is not None
    assert child.restart_if_dead() is None, "it is told once"
    child.end()
    places = Places(home=tmp_path)
    with Store.open(places.database, artifacts=places.artifacts) as store:
        job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
        assert store.leases.claim(worker_name(process), lease_s=3600) is not None
        store.workers.beat(worker_name(process), version="1", kinds=[], devices=[])
        _let_go(process, tmp_path)
        assert store.jobs.get(job.id).state is JobState.QUEUED
        assert store.workers.list() == ()


def test_a_port_that_somebody_listens_on_is_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ServiceError, match="a free port"):
            _check_free("127.0.0.1", other.getsockname()[1])
