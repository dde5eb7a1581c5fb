"""Input that tries to break the service gets a 4xx problem document, never a 500 and never a stack trace."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.search.budgets.limits import BudgetSpec
from tests.api.service import claimed, running, spec, store_of

SURROGATE, NUL = "\ud800", "a\0b"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _paths(document: Any) -> list[tuple[str | int, ...]]:
    """Every place in a document."""
    found: list[tuple[str | int, ...]] = [()]
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        found += [(key, *rest) for rest in _paths(value)]
    return found


def _replaced(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    changed = document.copy()
    changed[path[0]] = _replaced(document[path[0]], path[1:], value)
    return changed


WHOLE = spec(
    search={"kind": "random", "generation": 4},
    training={"lr": {"grid": [0.1]}, "epochs": 1},
    objectives=[{"metric": "mean_gain", "direction": "max"}],
    constraints={"max_params": 100_000},
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(tmp_path_factory.mktemp("hostile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def extensible(client: TestClient) -> str:
    """A search that has succeeded."""
    job_id: str = client.post("/v1/jobs", json=WHOLE).json()["id"]
    store_of(client).hold(claimed(store_of(client))).finish()
    return job_id


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_specification_with_anything_anywhere_is_accepted_or_explained(
    client: TestClient, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(_paths(WHOLE)))
    document = _replaced(WHOLE, path, data.draw(JSON))
    headers = {"Content-Type": "application/json"}
    response = client.post("/v1/jobs?validate_only=true", content=json.dumps(document), headers=headers)
    assert response.status_code in (200, 422), response.text
    if response.status_code == 422:
        assert response.json()["where"]


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", "/v1/jobs?cursor=%00", {}),
        ("GET", "/v1/jobs/%00", {}),
        ("GET", "/v1/jobs/..%2f..%2fetc%2fpasswd", {}),
        ("GET", "/v1/routes?cursor=o99999999999999999999", {}),
        ("GET", "/v1/routes?sort=%27;drop%20table%20jobs", {}),
        ("GET", "/v1/routes?limit=99999999999999999999999", {}),
        ("GET", "/v1/routes?data_digest=%00", {}),
        ("GET", "/v1/datasets/%00", {}),
        ("GET", "/v1/exports/%ff/download", {}),
        ("POST", "/v1/jobs", {"json": spec(name=SURROGATE)}),
        ("POST", "/v1/jobs", {"json": spec() | {SURROGATE: 1}}),
        ("POST", "/v1/jobs", {"json": spec(tasks=[{"name": "a", "kind": "binary", "label": SURROGATE}])}),
        ("POST", "/v1/jobs", {"json": spec(tasks=[{"name": "a", "kind": "binary", "label": NUL}])}),
        ("POST", "/v1/jobs", {"json": spec(data={"source": {"kind": "dataset", "name": NUL}})}),
        ("POST", "/v1/jobs", {"json": spec(data={"source": {"kind": "file", "paths": [NUL]}})}),
        ("POST", "/v1/jobs", {"json": spec(data={"source": {"kind": "file", "paths": ["a" * 10_000]}})}),
        ("POST", "/v1/jobs", {"content": "[" * 100_000}),
        ("POST", "/v1/jobs", {"content": b"\xff\xfe"}),
        ("POST", "/v1/jobs", {"content": '{"name": NaN}'}),
        ("POST", "/v1/jobs/%00/pause", {}),
        ("POST", "/v1/jobs/..%2fx/resume", {}),
        ("POST", "/v1/jobs/%00/extend", {"json": {"budget": {"trials": 100}}}),
        ("POST", "/v1/jobs/x/extend", {"json": {"budget": {SURROGATE: 1}}}),
        ("POST", "/v1/jobs/x/extend", {"content": '{"budget": {"trials": NaN}}'}),
        ("POST", "/v1/jobs/x/extend", {"content": '{"budget": {"epochs": 1e999}}'}),
        ("POST", "/v1/jobs/x/extend", {"content": "[" * 100_000}),
        ("POST", "/v1/datasets", {"json": {"name": SURROGATE, "source": {"kind": "file", "paths": ["x"]}}}),
    ],
)
def test_odd_characters_and_numbers_are_refused(
    client: TestClient, method: str, path: str, given: dict[str, Any]
) -> None:
    if "json" in given:
        given = {"content": json.dumps(given["json"])}
    response = client.request(method, path, headers={"Content-Type": "application/json"}, **given)
    assert 200 <= response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]


@settings(max_examples=100, deadline=None)
@given(budget=JSON | st.dictionaries(st.sampled_from(sorted(BudgetSpec.model_fields)), JSON, max_size=4))
def test_an_extension_by_anything_is_accepted_or_explained(client: TestClient, extensible: str, budget: Any) -> None:
    headers, content = {"Content-Type": "application/json"}, json.dumps({"budget": budget})
    response = client.post(f"/v1/jobs/{extensible}/extend", content=content, headers=headers)
    assert response.status_code in (202, 422), response.text
    if response.status_code == 422:
        assert response.json()["where"]


@pytest.mark.parametrize("seen", ["-1", "x", "99999999999999999999999"])
def test_a_resume_point_that_cannot_be_is_refused(client: TestClient, seen: str) -> None:
    job = client.post("/v1/jobs", json=spec()).json()["id"]
    response = client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": seen})
    assert response.status_code == 422
