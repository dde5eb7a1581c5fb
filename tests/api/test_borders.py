"""Odd headers and methods are answered as the protocol says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from mtnas.errors import OutOfDiskError, StoreError
from tests.api.service import running, spec, store_of


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "//", "http://evil.example"])
def test_an_origin_that_is_none_of_ours_is_refused(client: TestClient, origin: str) -> None:
    answer = client.post("/v1/jobs", json=spec(), headers={"Origin": origin})
    assert (answer.status_code, answer.json()["where"]) == (403, "header.origin")


def test_a_method_that_an_endpoint_does_not_have_is_told_which_it_has(client: TestClient) -> None:
    answer = client.put("/v1/jobs", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(("kind", "status"), [(StoreError, 503), (OutOfDiskError, 507)])
def test_what_time_can_mend_says_when_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, kind: type[StoreError], status: int
) -> None:
    def away(**_: object) -> None:
        raise kind(expected="a database that answers", found="none", where="database")

    monkeypatch.setattr(store_of(client).jobs, "list", away)
    answer = client.get("/v1/jobs")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (status, True)
