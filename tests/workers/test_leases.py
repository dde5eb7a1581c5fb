"""Jobs outlive workers: killed, stopped, cancelled, failed. Real processes, real signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mtnas.store import EventRecord, JobKind, JobRecord, JobState, Store
from tests.waiting import wait_for, wait_until

StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'mtnas.sqlite'}", artifacts=tmp_path / "artifacts") as opened:
        yield opened


@pytest.fixture
def start_worker(tmp_path: Path, store: Store) -> Iterator[StartWorker]:
    """Starts workers with short leases; ends those that are left."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**settings: str) -> subprocess.Popen[bytes]:
        short = {"MTNAS_LEASE_S": "3", "MTNAS_HEARTBEAT_S": "0.2", "MTNAS_REAP_S": "0.3", "MTNAS_POLL_S": "0.05"}
        short |= {"MTNAS_RETRY_S": "0.05"}
        environment = os.environ | {"MTNAS_HOME": str(tmp_path)} | short | settings
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.workers.counting_worker"]
            started.append(subprocess.Popen(command, env=environment, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _submit(store: Store, **spec: Any) -> str:
    job, _ = store.jobs.submit(JobKind.SEARCH, "count", {"steps": 20} | spec)
    return job.id


def _steps(store: Store, job_id: str) -> list[EventRecord]:
    return [event for event in store.events.after(job_id, limit=10_000) if event.kind == "step"]


def _ended(store: Store, job_id: str) -> JobRecord:
    return wait_until(lambda: store.jobs.get(job_id), lambda job: job.state.is_final)


def test_a_job_of_a_killed_worker_is_finished_by_another(store: Store, start_worker: StartWorker) -> None:
    job_id = _submit(store)
    first = start_worker()
    wait_for(lambda: len(_steps(store, job_id)) >= 5)
    first.send_signal(signal.SIGKILL)
    second = start_worker()
    job = _ended(store, job_id)
    steps = _steps(store, job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
    assert [step.payload["step"] for step in steps] == list(range(20))
    assert {step.payload["process"] for step in steps} == {first.pid, second.pid}


def test_a_worker_that_sleeps_through_its_lease_writes_nothing_more(store: Store, start_worker: StartWorker) -> None:
    job_id = _submit(store, deaf=True)
    first = start_worker()
    wait_for(lambda: len(_steps(store, job_id)) >= 3)
    first.send_signal(signal.SIGSTOP)
    second = start_worker()
    wait_for(lambda: store.jobs.get(job_id).worker == f"test/{second.pid}")
    first.send_signal(signal.SIGCONT)
    job = _ended(store, job_id)
    steps = _steps(store, job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
    assert [step.payload["step"] for step in steps] == list(range(20))
    assert first.poll() is None, "losing a lease is no reason to die"


def test_a_running_job_is_cancelled_by_the_next_heartbeat(store: Store, start_worker: StartWorker) -> None:
    job_id = _submit(store, steps=1000)
    worker = start_worker()
    wait_for(lambda: len(_steps(store, job_id)) >= 2)
    before = len(_steps(store, job_id))
    store.jobs.request_cancel(job_id)
    job = _ended(store, job_id)
    assert job.state is JobState.CANCELLED
    assert len(_steps(store, job_id)) - before < 60, "steps of three seconds, and more on a slow machine"
    assert worker.poll() is None


def test_a_paused_job_goes_on_where_it_stopped(store: Store, start_worker: StartWorker) -> None:
    job_id = _submit(store)
    start_worker()
    wait_for(lambda: len(_steps(store, job_id)) >= 2)
    store.jobs.request_pause(job_id)
    wait_for(lambda: store.jobs.get(job_id).state is JobState.PAUSED)
    store.jobs.resume(job_id)
    assert _ended(store, job_id).state is JobState.SUCCEEDED
    assert [step.payload["step"] for step in _steps(store, job_id)] == list(range(20))


def test_a_worker_that_is_told_to_end_gives_its_job_back(store: Store, start_worker: StartWorker) -> None:
    job_id = _submit(store, steps=1000)
    worker = start_worker()
    wait_for(lambda: len(_steps(store, job_id)) >= 2)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    job = store.jobs.get(job_id)
    assert (job.state, job.attempts_used) == (JobState.QUEUED, 0)


@pytest.mark.parametrize(
    ("then", "kind", "attempts", "words"),
    [
        ("data_error", "data_error", 1, "column 'age', row 3: expected numbers, found 'x'"),
        ("diverged", "diverged", 1, "trial 7"),
        ("memory", "out_of_memory", 1, "memory"),
        ("bug", "internal", 3, "internal error (ZeroDivisionError)"),
    ],
)
def test_a_failed_job_says_why_and_the_worker_goes_on(
    store: Store, start_worker: StartWorker, then: str, kind: str, attempts: int, words: str
) -> None:
    bad, good = _submit(store, steps=1, then=then), _submit(store, steps=1)
    start_worker()
    job = _ended(store, bad)
    assert _ended(store, good).state is JobState.SUCCEEDED
    assert (job.state, job.failure_kind, job.attempt) == (JobState.FAILED, kind, attempts)
    assert job.failure is not None
    assert words in job.failure["detail"]
    assert "secret" not in str(job.failure)


def test_an_attempt_that_takes_too_long_fails(store: Store, start_worker: StartWorker) -> None:
    job_id = _submit(store, steps=1000)
    start_worker(MTNAS_JOB_TIMEOUT_S="0.5")
    job = _ended(store, job_id)
    assert (job.state, job.failure_kind) == (JobState.FAILED, "timeout")


def test_two_workers_share_a_queue_and_count_nothing_twice(store: Store, start_worker: StartWorker) -> None:
    jobs = [_submit(store, steps=5, pause_s=0.01) for _ in range(12)]
    workers = [start_worker(), start_worker()]
    ended = [_ended(store, job_id) for job_id in jobs]
    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    for job_id in jobs:
        assert [step.payload["step"] for step in _steps(store, job_id)] == list(range(5))
    busy = {step.payload["process"] for job_id in jobs for step in _steps(store, job_id)}
    assert busy <= {worker.pid for worker in workers}
