"""HEAD is answered wherever GET is, and a 405 names every method that a path has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.api.found import finish_search
from tests.api.service import running, spec, store_of

AGEING = ("/", "/v1/system", "/metrics")
"""What these tell changes with the time, and its length with it."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(tmp_path_factory.mktemp("head"), events_heartbeat_s=0.05) as opened:
        yield opened


def test_head_says_what_get_would_and_has_no_body(client: TestClient) -> None:
    job = client.post("/v1/jobs", json=spec()).json()["id"]
    route = finish_search(store_of(client))[0].digest
    (export,) = client.get(f"/v1/routes/{route}/exports").json()["items"]
    values = {"job_id": job, "route_id": route, "export_id": export["id"], "name": "planted", "number": "1"}
    values["sha256"] = "0" * 64  # nothing was sent: 404, to both
    paths = [path for path, methods in client.get("/openapi.json").json()["paths"].items() if "get" in methods]
    assert len(paths) > 12
    for path in (*paths, "/docs", "/openapi.json", "/", "/login"):
        url = path.format(**values)
        got, headed = client.get(url), client.head(url)
        assert headed.status_code == got.status_code, path
        assert headed.content == b""
        if path not in AGEING:
            assert headed.headers.get("content-length") == got.headers.get("content-length"), path
    assert client.head("/v1/nowhere").status_code == 404


def test_head_of_a_stream_without_end_ends(client: TestClient) -> None:
    job = client.post("/v1/jobs", json=spec()).json()["id"]
    answer = client.head(f"/v1/jobs/{job}/events")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("POST", "/v1/search-spaces", "GET, HEAD"),
        ("GET", "/v1/jobs/x:cancel", None),
        ("DELETE", "/docs", "GET, HEAD"),
    ],
)
def test_a_405_names_every_method_of_the_path(client: TestClient, method: str, path: str, allowed: str | None) -> None:
    answer = client.request(method, path)
    # A verb with GET looks like a job of that name, which is not there.
    assert answer.status_code == (404 if allowed is None else 405)
    assert answer.headers.get("allow") == allowed
