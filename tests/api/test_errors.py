"""Every error becomes a problem document with its status, and nothing else leaks."""

import inspect
import pickle
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api import errors as api_errors
from mtnas import errors, problems
from tests.api.service import running, spec

ERRORS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.MtnasError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_class_has_a_status(kind: type[errors.MtnasError]) -> None:
    assert api_errors.STATUSES[kind] >= 400


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_survives_the_wire_and_a_process_border(kind: type[errors.MtnasError]) -> None:
    error = kind(expected="this", found="that", where="tasks[1].label")
    for again in (problems.from_document(problems.to_document(error)), pickle.loads(pickle.dumps(error))):
        assert type(again) is kind
        assert str(again) == str(error) == "tasks[1].label: expected this, found that"


def test_an_unexpected_error_is_a_500_without_a_stack_trace() -> None:
    app = FastAPI()
    api_errors.install(app)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("secret detail")

    response = TestClient(app, raise_server_exceptions=False).get("/broken")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    assert "Traceback" not in response.text


@pytest.mark.parametrize(
    ("changes", "where", "expected"),
    [
        ({"training": {"epochs": 0}}, "training.epochs", "greater than or equal to 1"),
        ({"trainnig": {}}, "trainnig", "a known field"),
        ({"tasks": []}, "tasks", "at least 1 item"),
        ({"training": {"lr": "fast"}}, "training.lr", "a valid number"),
        ({"data": {"source": {"kind": "file", "paths": []}}}, "data.source.paths", "at least 1 item"),
        ({"data": {"source": {"kind": "file"}}}, "data.source.paths", "a value"),
        ({"tasks": [{"name": "a", "kind": "binary", "weight": -1.0}]}, "tasks[0], task 'a'", "a positive weight"),
        ({"seed": 1.5}, "seed", "integer"),
    ],
)
def test_a_bad_spec_is_a_422_that_names_the_place(
    tmp_path: Path, changes: dict[str, object], where: str, expected: str
) -> None:
    with running(tmp_path) as client:
        response = client.post("/v1/jobs", json=spec(**changes))
    document = response.json()
    assert response.status_code == document["status"] == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert document["type"] == "urn:mtnas:problem:spec-error"
    assert document["instance"] == "/v1/jobs"
    assert document["where"] == where
    assert expected in document["expected"]
    assert document["detail"] == f"{where}: expected {document['expected']}, found {document['found']}"


def test_all_problems_of_a_spec_are_told_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        document = client.post("/v1/jobs", json=spec(seed=-1, training={"epochs": 0})).json()
    assert {each["where"] for each in document["errors"]} == {"seed", "training.epochs"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("DELETE", "/v1/jobs", 405), ("GET", "/v1/jobs?limit=0", 422)],
)
def test_errors_of_the_protocol_are_problem_documents_too(tmp_path: Path, method: str, path: str, status: int) -> None:
    with running(tmp_path) as client:
        response = client.request(method, path)
    assert response.status_code == response.json()["status"] == status
    assert response.headers["content-type"] == "application/problem+json"


def test_text_that_is_not_json_is_refused_with_its_place(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        response = client.post("/v1/jobs", content="{]", headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["expected"].startswith("JSON")
