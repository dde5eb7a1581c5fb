"""A task added over the API to what a worker has trained, end to end with a worker in this process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mtnas.client import Client
from mtnas.routes import Route, RouteGraph, narrow
from mtnas.run.base_system import load_base
from mtnas.spec import JobSpec
from mtnas.store import JobKind, JobState, Store
from mtnas.supernets import freeze_part
from mtnas.training.trained_network import Trained
from tests.api.service import running, store_of
from tests.workers.test_training_job import SPEC
from workers.local_backend import LocalBackend
from workers.settings import Settings
from workers.training_job import Training

PLANTED = {"rows": 600, "num_tasks": 3, "dims": 8}
DATA = {"source": {"kind": "catalogue", "name": "planted", "options": PLANTED}}
NEW = {"name": "t2", "kind": "regression", "label": "task_2", "tower": [8]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(tmp_path_factory.mktemp("service")) as opened:
        yield opened


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(scope="module")
def first(client: TestClient, home: Path) -> str:
    """A search that has succeeded; without an ensemble, for which weights of baselines would be kept as well."""
    job_id: str = client.post("/v1/jobs", json=SPEC | {"data": DATA, "export": {"ensemble": "none"}}).json()["id"]
    work(store_of(client), home)
    return job_id


def work(store: Store, home: Path) -> None:
    """Do the oldest queued job."""
    training = Training(Settings(home=home, executor="local"), store, LocalBackend())
    lease = store.leases.claim("test", lease_s=60)
    assert lease is not None
    holding = store.hold(lease)
    run = {JobKind.SEARCH: training.search, JobKind.EXTEND: training.extend, JobKind.EXPORT: training.export}
    run[holding.job.kind](holding, lambda: None)
    holding.finish()


def checkpoint(store: Store, job_id: str, name: str) -> bytes | None:
    record = store.checkpoints.get(job_id, name)
    return None if record is None else store.artifacts.path(record.artifact).read_bytes()


def add(client: TestClient, job_id: str, **body: Any) -> Any:
    return client.post(f"/v1/jobs/{job_id}/tasks", json={"tasks": [NEW]} | body)


def test_an_added_task_is_trained_and_the_old_ones_keep_their_weights(
    client: TestClient, home: Path, first: str
) -> None:
    store = store_of(client)
    response = add(client, first, name="with a third", search={"kind": "evolution", "generation": 2})
    job = response.json()
    assert (response.status_code, job["kind"], job["extends"], job["name"]) == (202, "search", first, "with a third")
    assert [task["name"] for task in job["spec"]["tasks"]] == ["t0", "t1", "t2"]
    assert client.delete(f"/v1/jobs/{first}").status_code == 409
    work(store, home)
    done = store.jobs.get(job["id"])
    assert done.state is JobState.SUCCEEDED
    spec = JobSpec.model_validate(done.spec)
    assert spec.base is not None
    base = load_base(spec.base, lambda name: checkpoint(store, first, name))
    best = store.routes.list(job_id=done.id, role="best", limit=1)[0]
    weights = checkpoint(store, done.id, f"weights/{best.details['weights_of_trial']}")
    assert weights is not None
    graph = narrow(RouteGraph.from_json(store.graphs.get(best.graph_digest)), Route.parse(best.text))
    whole = Trained(graph=graph, weights=weights).network(base.encoding.inputs)
    old = freeze_part(whole, RouteGraph.from_json(spec.base.graph), Route.parse(spec.base.route))
    before = base.trained.network(base.encoding.inputs)
    assert Trained.of(old) == Trained.of(before)
    rows = {row["label"]: row for row in client.get(f"/v1/jobs/{done.id}/report").json()["report"]["rows"]}
    assert set(rows["finalist-1"]["per_task"]) == {"t0", "t1", "t2"}


def test_routes_of_a_grown_system_are_exported_on_demand_and_its_search_is_extended(
    client: TestClient, home: Path, first: str
) -> None:
    store = store_of(client)
    job_id = add(client, first).json()["id"]
    work(store, home)
    route = store.routes.list(job_id=job_id, role="search", limit=1)[0]
    export = client.post(f"/v1/routes/{route.digest}/exports?job_id={job_id}").json()
    work(store, home)
    assert store.exports.get(export["id"]).state == "ready"
    longer = client.post(f"/v1/jobs/{job_id}/extend", json={"budget": {"trials": 6}}).json()["id"]
    work(store, home)
    assert len(store.trials.list(longer, phase="search", limit=None)) == 6


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"tasks": []}, 422, "tasks"),
        ({"tasks": [NEW | {"name": "t0"}]}, 422, "must differ"),
        ({"tasks": [NEW | {"label": "nowhere"}]}, 422, "nowhere"),
        ({"search": {"kind": "reinforce"}}, 422, "search.kind"),
        ({"training": {"balancer": {"kind": "uncertainty"}}}, 422, "learn nothing"),
        ({"route": "f" * 64}, 404, "route"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_what_cannot_be_added_is_refused(
    client: TestClient, first: str, body: dict[str, Any], status: int, told: str
) -> None:
    response = add(client, first, **body)
    assert (response.status_code, told in response.text) == (status, True), response.text


def test_routes_without_kept_weights_and_jobs_that_have_not_ended_are_no_base(client: TestClient, first: str) -> None:
    store = store_of(client)
    baseline = store.routes.list(job_id=first, role="baseline", limit=1)[0]
    refused = add(client, first, route=baseline.digest)
    assert (refused.status_code, "weights and encoding" in refused.text) == (409, True)
    waiting = client.post("/v1/jobs", json=SPEC | {"data": DATA}).json()["id"]
    assert add(client, waiting).status_code == 409
    store.jobs.request_cancel(waiting)
    assert add(client, "nowhere").status_code == 404


def test_the_client_asks_for_it_and_the_same_key_makes_no_second_job(client: TestClient, first: str) -> None:
    ours, body = Client(http=client), {"tasks": [NEW], "budget": {"trials": 2}}
    once, twice = (ours.add_tasks(first, body, idempotency_key="k") for _ in range(2))
    assert (once.id, once.extends, once.spec["budget"]["trials"]) == (twice.id, first, 2)
    store_of(client).jobs.request_cancel(once.id)
