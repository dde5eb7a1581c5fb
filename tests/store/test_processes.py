"""Several processes at one store, on both databases."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from mtnas.store import JobKind, JobState, Store
from mtnas.store.database import Database
from mtnas.trials import TrialState
from tests.store import racing

T = TypeVar("T")


Race = Callable[..., list[Any]]


@pytest.fixture
def race(eight_processes: ProcessPoolExecutor, artifacts_folder: Path, tmp_path: Path) -> Race:
    """Run a function in eight processes at the same time."""

    def _race(function: Callable[..., T], url: str, *arguments: object) -> list[T]:
        runs = [
            eight_processes.submit(function, url, artifacts_folder, tmp_path / "meeting", *arguments) for _ in range(8)
        ]
        return [run.result(timeout=240) for run in runs]

    return _race


def test_eight_processes_may_open_a_fresh_store_at_once(race: Race, empty_url: str) -> None:
    assert len(set(race(racing.open_store, empty_url))) == 8


def test_eight_processes_claim_each_of_forty_jobs_once(store: Store, url: str, race: Race) -> None:
    ids = [store.jobs.submit(JobKind.SEARCH, str(number), {})[0].id for number in range(40)]
    claimed = [claim for claims in race(racing.claim_all, url) for claim in claims]
    assert sorted(claimed) == sorted((job_id, 1) for job_id in ids)
    assert store.jobs.counts()[JobState.SUCCEEDED] == 40


def test_eight_processes_write_at_once_and_lose_nothing(store: Store, url: str, race: Race) -> None:
    for number in range(8):
        store.jobs.submit(JobKind.SEARCH, str(number), {})
    ids = race(racing.write_trials, url, 8)
    assert len(set(ids)) == 8
    for job_id in ids:
        trials = store.trials.list(job_id)
        assert [(trial.number, trial.values) for trial in trials] == [(n, {"gain": n}) for n in range(8)]


def test_one_of_eight_equal_submissions_makes_the_job(store: Store, url: str, race: Race) -> None:
    answers = race(racing.submit, url)
    assert len({job_id for job_id, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1
    assert len(store.jobs.list()) == 1


def test_process_killed_inside_a_transaction_leaves_nothing_half_done(
    store: Store, url: str, artifacts_folder: Path
) -> None:
    job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
    doomed = get_context("forkserver").Process(target=racing.die_inside_transaction, args=(url, artifacts_folder))
    doomed.start()
    doomed.join(timeout=240)
    assert doomed.exitcode == -signal.SIGKILL
    states = [trial.state for trial in store.trials.list(job.id)]
    assert states == [TrialState.COMPLETE, TrialState.RUNNING, TrialState.RUNNING]
    lease = store.leases.claim("next")
    assert lease is None  # the dead worker's lease has not lapsed yet
    database = Database(url)
    with database.write() as connection:  # as if a minute had gone by; also: the dead process left no lock
        connection.execute(text("UPDATE jobs SET lease_deadline = started_at"))
    if database.is_sqlite:
        with database.read() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    database.close()
    assert [reaped.state for reaped in store.leases.reap()] == [JobState.QUEUED]
    lease = store.leases.claim("next")
    assert lease is not None
    assert lease.attempt == 2
    assert [trial.number for trial in store.trials.list(job.id)] == [0]


def test_process_killed_while_it_stores_a_file_leaves_no_file_under_a_name(
    sqlite_store: Store, artifacts_folder: Path
) -> None:
    child = get_context("forkserver").Process(target=racing.die_while_storing, args=(artifacts_folder,))
    child.start()
    child.join(timeout=240)
    assert child.exitcode == -signal.SIGKILL
    assert list(sqlite_store.artifacts.stored()) == []
    assert len(list(sqlite_store.artifacts.unfinished())) == 1
    assert len(sqlite_store.collect_garbage(older_than_s=0.0)) == 1
