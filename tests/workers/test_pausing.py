"""Real searches, paused by request and resumed, and extended: the real loop and heartbeat, training in this process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import search_spaces
from api.requests.exporting import request_export
from api.requests.extending import request_extension
from mtnas.run.phases.prepare import expanded
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.spec import JobSpec
from mtnas.store import JobKind, JobRecord, JobState, Store
from mtnas.trials import TrialState
from tests.waiting import wait_until
from tests.workers.test_training_job import SPEC
from workers.local_backend import LocalBackend
from workers.loop import Worker
from workers.settings import Settings
from workers.training_job import Training

JOBS: dict[str, dict[str, Any]] = {
    "tpe": {"search": {"kind": "tpe", "generation": 4, "options": {"startup": 4}}, "budget": {"trials": 16}},
    "reinforce": {"search": {"kind": "reinforce", "routes_per_step": 4, "reward_rows": 64, "epochs": 40}},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", executor="local", lease_s=2.0, heartbeat_s=0.02, poll_s=0.02)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings.database, artifacts=settings.artifacts) as opened:
        yield opened


@contextmanager
def working(settings: Settings, store: Store) -> Iterator[None]:
    """A worker in a thread."""
    shutdown, training = threading.Event(), Training(settings, store, LocalBackend())
    work = {JobKind.SEARCH: training.search, JobKind.EXTEND: training.extend, JobKind.EXPORT: training.export}
    worker = Worker(store, settings, name="test", work_by_kind=work, shutdown=shutdown)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        shutdown.set()
        thread.join()


def submit(store: Store, **changes: Any) -> str:
    spec = expanded(JobSpec.model_validate(SPEC | changes), search_spaces.build)
    return store.jobs.submit(JobKind.SEARCH, spec.name, spec.model_dump(mode="json"))[0].id


def wait(store: Store, job_id: str, until: Callable[[JobRecord], bool]) -> JobRecord:
    return wait_until(lambda: store.jobs.get(job_id), until, every_s=0.005)


def ended(store: Store, job_id: str) -> JobRecord:
    job = wait(store, job_id, lambda job: job.state.is_final)
    assert job.state is JobState.SUCCEEDED, job.failure
    return job


def answer(store: Store, job_id: str) -> list[Any]:
    """What must not depend on pauses."""
    report = store.reports.get(job_id).report
    rows = [{k: v for k, v in row.items() if "seconds" not in k and "multiple" not in k} for row in report["rows"]]
    trials = store.trials.list(job_id, limit=None)
    return [
        rows,
        report["best"],
        report["search"]["stop"],
        [(t.number, t.label, t.candidate, t.values) for t in trials],
    ]


@pytest.mark.parametrize("changes", JOBS.values(), ids=JOBS)
def test_a_job_that_was_paused_ends_as_an_undisturbed_one(
    settings: Settings, store: Store, changes: dict[str, Any]
) -> None:
    undisturbed, disturbed = submit(store, **changes), submit(store, **changes)
    with working(settings, store):
        ended(store, undisturbed)
        pauses = 0
        for phase in ("baselines", "search", "retrain"):
            job = wait(store, disturbed, lambda job, phase=phase: job.state.is_final or job.phase == phase)
            if job.state is not JobState.RUNNING:
                continue
            before = [t for t in store.trials.list(disturbed, limit=None) if t.state is not TrialState.RUNNING]
            store.jobs.request_pause(disturbed)
            job = wait(store, disturbed, lambda job: job.state is not JobState.RUNNING)
            if job.state is JobState.SUCCEEDED:
                break
            pauses += 1
            assert (job.state, job.worker, job.lease_deadline, job.pause_requested) == ("paused", None, None, False)
            kept = store.trials.list(disturbed, limit=None)
            assert all(trial.state is not TrialState.RUNNING for trial in kept)
            assert [(t.number, t.finished_at) for t in kept][: len(before)] == [
                (t.number, t.finished_at) for t in before
            ], "nothing that was finished is lost or done again"
            time.sleep(0.1)
            assert store.jobs.get(disturbed).state is JobState.PAUSED, "nobody takes a paused job up"
            store.jobs.resume(disturbed)
        ended(store, disturbed)
    assert pauses >= 2
    assert answer(store, disturbed) == answer(store, undisturbed)
    assert store.jobs.get(disturbed).attempts_used == 0


def test_an_extended_job_has_the_answer_of_a_longer_one_and_trains_only_what_is_new(
    settings: Settings, store: Store
) -> None:
    search = {"kind": "evolution", "generation": 4}
    short, whole = (
        submit(store, search=search, budget={"trials": 8}),
        submit(store, search=search, budget={"trials": 12}),
    )
    with working(settings, store):
        ended(store, whole)
        ended(store, short)
        longer = request_extension(store, short, BudgetSpec(trials=12), idempotency_key=None)
        ended(store, longer.id)
        assert answer(store, longer.id) == answer(store, whole)
        trials = store.trials.list(longer.id, phase="search", limit=None)
        assert [trial.notes.get("from", {}).get("job") for trial in trials] == [short] * 8 + [None] * 4
        assert store.reports.get(longer.id).report["search"]["extends"] == short
        route = store.routes.list(job_id=longer.id, limit=1)[0]
        export = request_export(store, route.digest, job_id=longer.id, idempotency_key=None)
        ended(store, export.job_id)
    assert store.exports.get(export.id).state == "ready"
