"""Data: the catalogue, registering, and what a request's data is checked for before a job is made."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mtnas.data import DataAccess, profile
from mtnas.data.data_spec import FileSource
from tests.api.service import claimed, running, spec, store_of

ROWS = "age,city,clicked,bought,always\n" + "\n".join(
    f"{20 + n % 40},{'ab'[n % 2]},{n % 2},{n % 3 // 2},1" for n in range(80)
)
TASKS = [{"name": "clicked", "kind": "binary"}, {"name": "bought", "kind": "binary"}]


def _write(folder: Path, text: str = ROWS, name: str = "rows.csv") -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / name).write_text(text)


def _profiled(client: TestClient, folder: Path) -> None:
    """Register ``rows.csv`` as ``rows`` and do what a worker would."""
    source = {"kind": "file", "paths": ["rows.csv"]}
    dataset = client.post("/v1/datasets", json={"name": "rows", "source": source}).json()
    holding = store_of(client).hold(claimed(store_of(client)))
    access = DataAccess(roots=(folder / "data",), cache=folder / "cache")
    found = profile(FileSource.model_validate(dataset["source"]), access=access)
    holding.set_profile(dataset["id"], found.to_json(), found.digest)
    holding.finish()


def _on_rows(**changes: Any) -> dict[str, Any]:
    return spec(data={"source": {"kind": "dataset", "name": "rows"}}, tasks=TASKS) | changes


def test_the_catalogue_is_listed_with_tasks_and_licence(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        listed = {dataset["name"]: dataset for dataset in client.get("/v1/datasets").json()["items"]}
        assert client.get("/v1/datasets/flights").json() == listed["flights"]
    assert {"census-income", "flights", "planted"} <= set(listed)
    assert len(listed["flights"]["about"]["tasks"]) == 3
    assert listed["flights"]["about"]["licence"]


def test_a_registered_data_set_is_profiled_by_a_job(tmp_path: Path) -> None:
    _write(tmp_path)
    with running(tmp_path) as client:
        response = client.post("/v1/datasets", json={"name": "rows", "source": {"kind": "file", "paths": ["rows.csv"]}})
        job = client.get(f"/v1/jobs/{response.json()['job_id']}").json()
        found = client.get(response.headers["location"]).json()
        listed = [dataset["name"] for dataset in client.get("/v1/datasets").json()["items"]]
    assert response.status_code == 202
    assert (job["kind"], job["state"], found["state"]) == ("profile", "queued", "pending")
    assert "rows" in listed


@pytest.mark.parametrize(
    ("name", "source", "status", "where"),
    [
        ("rows", {"kind": "file", "paths": ["../secret.csv"]}, 422, "data.source.paths[0]"),
        ("rows", {"kind": "file", "paths": ["/etc/passwd"]}, 422, "data.source.paths[0]"),
        ("rows", {"kind": "file", "paths": ["link.csv"]}, 422, "data.source.paths[0]"),
        ("rows", {"kind": "file", "paths": ["rows.csv", "gone.csv"]}, 422, "data.source.paths[1]"),
        ("rows", {"kind": "catalogue", "name": "nowhere"}, 422, "data.source.name"),
        ("flights", {"kind": "file", "paths": ["rows.csv"]}, 409, "name"),
        ("a/b", {"kind": "file", "paths": ["rows.csv"]}, 422, "name"),
    ],
)
def test_data_that_may_not_be_read_cannot_be_registered(
    tmp_path: Path, name: str, source: dict[str, Any], status: int, where: str
) -> None:
    _write(tmp_path)
    (tmp_path / "secret.csv").write_text(ROWS)
    (tmp_path / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with running(tmp_path) as client:
        response = client.post("/v1/datasets", json={"name": name, "source": source})
    assert (response.status_code, response.json()["where"]) == (status, where)


def test_a_job_on_profiled_data_is_planned_with_its_cost(tmp_path: Path) -> None:
    _write(tmp_path)
    with running(tmp_path) as client:
        _profiled(client, tmp_path)
        plan = client.post("/v1/jobs?validate_only=true", json=_on_rows()).json()
    assert plan["route_cost"]["num_params"] > 0
    assert plan["estimate"]["rows"] == 80


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"tasks": [{"name": "kissed", "kind": "binary"}]}, "tasks[0].label"),
        ({"tasks": [{"name": "always", "kind": "binary"}]}, "tasks[0].label, column 'always'"),
        ({"tasks": [{"name": "city", "kind": "regression"}]}, "tasks[0].label, column 'city'"),
        ({"data": {"source": {"kind": "dataset", "name": "nobody"}}}, "data.source.name"),
        (
            {
                "data": {
                    "source": {"kind": "dataset", "name": "rows"},
                    "features": [{"column": "city", "kind": "numeric"}],
                }
            },
            "column 'city'",
        ),
    ],
)
def test_what_the_stored_profile_shows_is_refused_at_once(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    _write(tmp_path)
    with running(tmp_path) as client:
        _profiled(client, tmp_path)
        response = client.post("/v1/jobs", json=_on_rows(**changes))
        jobs = client.get("/v1/jobs?kind=search").json()["items"]
    assert (response.status_code, response.json()["where"]) == (422, where)
    assert response.json()["type"] == "urn:mtnas:problem:data-error"
    assert jobs == []


def test_all_that_is_wrong_with_the_data_is_told_at_once(tmp_path: Path) -> None:
    tasks = [{"name": "kissed", "kind": "binary"}, {"name": "hugged", "kind": "binary"}]
    with running(tmp_path) as client:
        document = client.post("/v1/jobs", json=spec(tasks=tasks)).json()
    assert [each["where"] for each in document["errors"]] == ["tasks[0].label", "tasks[1].label"]
