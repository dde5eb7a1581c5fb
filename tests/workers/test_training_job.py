"""Real jobs in this process: searched, interrupted, resumed, exported, profiled."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import search_spaces
from api.requests.exporting import request_export
from mtnas.errors import CancelledError, DataError
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec
from mtnas.store import Holding, JobKind, Store
from mtnas.trials import TrialState
from tests.lean import NO_MODELS
from workers.local_backend import LocalBackend
from workers.profile_job import profile_dataset
from workers.settings import Settings
from workers.training_job import Training

SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 600, "num_tasks": 2, "dims": 8}}},
    "tasks": [{"name": f"t{n}", "kind": "regression", "label": f"task_{n}", "tower": [8]} for n in range(2)],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
    "search": {"kind": "random", "generation": 2},
    "training": {"batch_size": 128, "epochs": 1, "lr": {"grid": [0.002, 0.01]}, "extend": 0},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "seeds": 1,
        "finalists": 1,
        "baselines": ["shared_bottom"],
    },
    "budget": {"trials": 4},
    "export": {"top": 0},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return Settings(home=tmp_path / "home", data_roots=(tmp_path / "data",), executor="local")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings.database, artifacts=settings.artifacts) as opened:
        yield opened


@pytest.fixture
def training(settings: Settings, store: Store) -> Training:
    return Training(settings, store, LocalBackend())


def _submit(store: Store, **changes: Any) -> str:
    spec = expanded(JobSpec.model_validate(SPEC | changes), search_spaces.build)
    return store.jobs.submit(JobKind.SEARCH, spec.name, spec.model_dump(mode="json"))[0].id


def _claim(store: Store) -> Holding:
    lease = store.leases.claim("test", lease_s=60)
    assert lease is not None
    return store.hold(lease)


def _go_on() -> None:
    pass


def _stop_after(calls: int) -> Callable[[], None]:
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise CancelledError(expected="to go on", found="a request", where="test")

    return check


def _answer(store: Store, job_id: str) -> list[Any]:
    """What must not depend on who ran the job, where and how often."""
    report = store.reports.get(job_id).report
    rows = [{k: v for k, v in row.items() if "seconds" not in k and "multiple" not in k} for row in report["rows"]]
    trials = store.trials.list(job_id, limit=None)
    return [rows, report["best"], [(trial.number, trial.label, trial.candidate, trial.values) for trial in trials]]


def test_an_interrupted_search_gives_the_answer_of_an_undisturbed_one(training: Training, store: Store) -> None:
    undisturbed, disturbed = _submit(store), _submit(store)
    training.search(_claim(store), _go_on)
    interruptions, calls = 0, 12
    while True:
        holding = _claim(store)
        try:
            training.search(holding, _stop_after(calls))
        except CancelledError:
            holding.release()
            interruptions, calls = interruptions + 1, calls + 12
        else:
            break
    assert interruptions >= 3
    assert _answer(store, disturbed) == _answer(store, undisturbed)
    attempts = {trial.attempt for trial in store.trials.list(disturbed, limit=None)}
    assert len(attempts) >= 2, "trials of earlier attempts were run again"
    for trial in store.trials.list(undisturbed, limit=None):
        assert trial.started_at is not None
        assert trial.finished_at is not None
        assert trial.created_at <= trial.started_at <= trial.finished_at


def test_candidates_that_halving_stops_early_are_pruned_trials_of_the_store(training: Training, store: Store) -> None:
    search = {"kind": "random", "generation": 6, "halving": {"reduction": 2, "min_epochs": 1}}
    job_id = _submit(store, search=search, training=SPEC["training"] | {"epochs": 4}, budget={"trials": 6})
    training.search(_claim(store), _go_on)
    pruned = store.trials.list(job_id, phase="search", state=TrialState.PRUNED)
    assert store.trials.counts(job_id, phase="search")[TrialState.PRUNED] == len(pruned) == 5
    for trial in pruned:
        assert trial.failure is None
        assert trial.values["mean_gain"] is not None
        assert trial.notes["pruned"]["step"] == trial.evaluations[0]["costs"]["candidate_steps"]
    (complete,) = store.trials.list(job_id, phase="search", state=TrialState.COMPLETE)
    assert complete.evaluations[0]["costs"]["candidate_steps"] > trial.notes["pruned"]["step"]


def test_any_route_of_a_search_is_exported_on_demand(training: Training, store: Store, tmp_path: Path) -> None:
    settings = {"dropout": {"grid": [0.3]}, "balancer": {"grid": [{"kind": "uncertainty"}]}}
    job_id = _submit(store, search=SPEC["search"] | {"settings": settings})
    training.search(_claim(store), _go_on)
    for role, dropout, balancer in (("search", 0.3, {"kind": "uncertainty", "lr": 0.01}), ("baseline", 0.1, None)):
        route = store.routes.list(job_id=job_id, role=role, limit=1)[0]
        export = request_export(store, route.digest, job_id=job_id, idempotency_key=None)
        reads = store.test_reads.count(route.data_digest)
        holding = _claim(store)
        training.export(holding, _go_on)
        for trial in store.trials.list(holding.job.id):
            used = trial.candidate["settings"]
            assert (used["dropout"], used["balancer"]) == (dropout, balancer), "settings that the row tells"
        holding.finish()
        made = store.exports.get(export.id)
        assert (made.state, made.route_digest) == ("ready", route.digest)
        assert store.test_reads.count(route.data_digest) == reads, "an export must not read the test part"
        assert made.artifact is not None
        with store.artifacts.open(made.artifact) as file, zipfile.ZipFile(file) as archive:
            assert "model.py" in archive.namelist()


def test_a_job_on_a_registered_data_set_reads_it(
    settings: Settings, training: Training, store: Store, tmp_path: Path
) -> None:
    rows = (f"{n % 7},{n * 37 % 11},{n % 2},{n * 7 % 3 % 2}" for n in range(600))
    (tmp_path / "data" / "rows.csv").write_text("\n".join(["x,y,a,b", *rows]))
    dataset, _ = store.datasets.register("rows", {"kind": "file", "paths": ["rows.csv"]})
    holding = _claim(store)
    profile_dataset(settings, store, holding, _go_on)
    holding.finish()
    assert store.datasets.get("rows").profile is not None
    job_id = _submit(
        store,
        data={"source": {"kind": "dataset", "name": dataset.name}},
        tasks=[{"name": name, "kind": "binary", "tower": [4]} for name in "ab"],
    )
    training.search(_claim(store), _go_on)
    assert store.reports.get(job_id).report["rows"]


def test_what_only_reading_shows_ends_as_a_data_error_with_its_place(
    training: Training, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "data" / "rows.csv").write_text("x,a\n" + "1,0\ntwo,1\n3,0\n4,1\n" * 50)
    source = {"kind": "file", "paths": ["rows.csv"]}
    features = [{"column": "x", "kind": "numeric"}]
    _submit(store, data={"source": source, "features": features}, tasks=[{"name": "a", "kind": "binary"}])
    with pytest.raises(DataError, match="column 'x', row 2"):
        training.search(_claim(store), _go_on)
