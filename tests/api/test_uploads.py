"""Files that clients send: whole or in parts, kept under their digest, made into data sets, deleted when unused."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from api import access
from mtnas.client import Client
from mtnas.errors import ConflictError
from mtnas.store import JobKind, JobState, TokenRole
from tests.api.process import serving
from tests.api.service import claimed, running, spec, store_of
from tests.api.test_datasets import ROWS, TASKS
from workers.profile_job import profile_dataset
from workers.settings import Settings

FILE = ROWS.encode()
SHA256 = hashlib.sha256(FILE).hexdigest()
PLACE = f"/v1/uploads/{SHA256}?size_bytes={len(FILE)}"
SOURCE = {"kind": "file", "paths": [f"upload:{SHA256}"]}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path) as client:
        yield client


def register(client: TestClient, name: str = "rows", **headers: str) -> httpx.Response:
    answer: httpx.Response = client.post("/v1/datasets", json={"name": name, "source": SOURCE}, headers=headers)
    return answer


def do_profile(client: TestClient, folder: Path) -> None:
    """What a worker does."""
    store = store_of(client)
    holding = store.hold(claimed(store))
    profile_dataset(Settings(home=folder / "home"), store, holding, lambda: None)
    holding.finish()


def test_a_file_that_is_sent_becomes_a_profiled_data_set_with_suggested_tasks(
    client: TestClient, tmp_path: Path
) -> None:
    sent = client.put(PLACE, content=FILE).json()
    assert sent == {"sha256": SHA256, "size_bytes": len(FILE), "received_bytes": len(FILE), "is_whole": True}
    assert register(client).status_code == 202
    do_profile(client, tmp_path)
    found = client.get("/v1/datasets/rows").json()
    assert (found["state"], found["profile"]["num_rows"], found["source"]["paths"]) == ("ready", 80, SOURCE["paths"])
    assert [task["label"] for task in found["suggested_tasks"]] == ["clicked", "bought"]
    assert {task["kind"] for task in found["suggested_tasks"]} == {"binary"}
    planned = client.post(
        "/v1/jobs?validate_only=true", json=spec(data={"source": {"kind": "dataset", "name": "rows"}}, tasks=TASKS)
    )
    assert planned.status_code == 200, planned.text


def test_a_file_may_come_in_parts_and_goes_on_where_it_ended(client: TestClient) -> None:
    assert client.put(PLACE, content=FILE[:100]).json()["received_bytes"] == 100
    assert client.get(f"/v1/uploads/{SHA256}").json()["is_whole"] is False
    for wrong in (0, 99, 101):
        answer = client.put(f"{PLACE}&offset={wrong}", content=FILE[wrong:])
        assert answer.status_code == 409
        assert "offset=100" in answer.json()["expected"]
    assert register(client).status_code == 422  # not whole
    assert client.put(f"{PLACE}&offset=100", content=FILE[100:]).json()["is_whole"] is True
    assert client.put(PLACE, content=FILE).json()["is_whole"] is True  # again changes nothing


def test_bytes_that_are_not_those_announced_are_not_kept(client: TestClient, tmp_path: Path) -> None:
    wrong = client.put(PLACE, content=FILE[::-1])
    assert (wrong.status_code, wrong.json()["where"]) == (422, "body")
    assert client.get(f"/v1/uploads/{SHA256}").json()["received_bytes"] == 0
    assert client.put(PLACE, content=FILE + b"1").status_code == 422
    assert client.put(f"/v1/uploads/{SHA256}?size_bytes=5", content=b"12345").status_code == 409
    assert client.get(f"/v1/uploads/{SHA256}").json()["is_whole"] is False
    assert not list(store_of(client).artifacts.stored())


@pytest.mark.parametrize("place", ["/v1/uploads/../../etc/passwd", "/v1/uploads/abc", f"/v1/uploads/{'A' * 64}"])
def test_names_that_are_no_digest_are_refused(client: TestClient, place: str) -> None:
    assert client.put(f"{place}?size_bytes=1", content=b"1").status_code in (404, 422)


def test_files_have_limits_of_their_own(tmp_path: Path) -> None:
    with running(tmp_path, upload_mib=1, max_body_bytes=1024) as client:
        large = bytes(2**20)
        place = f"/v1/uploads/{hashlib.sha256(large).hexdigest()}?size_bytes="
        assert client.put(f"{place}{2**20}", content=large).json()["is_whole"] is True
        assert client.put(f"{place}{2**20 + 1}", content=b"").status_code == 413
        assert client.put(f"{place}{2**20}", content=large + b"1").status_code == 413
        assert client.post("/v1/datasets", content=bytes(1025)).status_code == 413


def test_another_owner_neither_sees_nor_uses_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FRESH_S", 0.0)
    with running(tmp_path) as client:
        tokens = store_of(client).tokens
        ann, bob = (
            {"Authorization": f"Bearer {tokens.create(name, TokenRole.SUBMIT, owner=name)[1]}"}
            for name in ("ann", "bob")
        )
        assert client.put(PLACE, content=FILE, headers=ann).json()["is_whole"] is True
        assert client.get(f"/v1/uploads/{SHA256}", headers=bob).status_code == 404
        assert register(client, **bob).status_code == 422
        assert client.put(PLACE, content=b"", headers=bob).json()["received_bytes"] == 0  # sends all of it
        assert register(client, **ann).status_code == 202
        # A job names data sets, never files that somebody has sent.
        direct = client.post("/v1/jobs", json=spec(data={"source": SOURCE}, tasks=TASKS), headers=ann)
        assert (direct.status_code, direct.json()["where"]) == (422, "data.source.paths[0]")


def test_what_arrived_before_a_connection_broke_stays(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = f"PUT {PLACE} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(FILE)}\r\n\r\n"
            connection.sendall(head.encode() + FILE[:300])
            deadline = time.monotonic() + 120
            while httpx.get(f"{url}/v1/uploads/{SHA256}", trust_env=False).status_code == 404:
                assert time.monotonic() < deadline, "the request did not begin"
                time.sleep(0.01)
        while (found := httpx.get(f"{url}/v1/uploads/{SHA256}", trust_env=False).json())["received_bytes"] == 0:
            assert time.monotonic() < deadline, "nothing was kept"
            time.sleep(0.01)
        assert found["received_bytes"] == 300
        rest = httpx.put(f"{url}{PLACE}&offset=300", content=FILE[300:], trust_env=False)
    assert rest.json()["is_whole"] is True


def test_a_quota_bounds_what_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FRESH_S", 0.0)
    with running(tmp_path, quota_mib=1) as client:
        text = store_of(client).tokens.create("ann", TokenRole.SUBMIT, owner="ann")[1]
        headers = {"Authorization": f"Bearer {text}"}
        place = f"/v1/uploads/{'0' * 64}?size_bytes="
        assert client.put(f"{place}{2**20 + 1}", headers=headers).status_code == 429
        assert client.put(f"{place}{2**20 - 100}", headers=headers).status_code == 200
        refused = client.put(PLACE, content=FILE, headers=headers)  # room is kept for what was announced
        assert (refused.status_code, refused.json()["where"]) == (429, "quota.size_bytes")
        assert client.delete(f"/v1/uploads/{'0' * 64}", headers=headers).status_code == 204
        assert client.put(PLACE, content=FILE, headers=headers).status_code == 200


def test_a_data_set_goes_once_no_job_uses_it_and_its_file_with_it(client: TestClient, tmp_path: Path) -> None:
    store = store_of(client)
    client.put(PLACE, content=FILE)
    profiling = register(client).json()["job_id"]
    assert client.delete("/v1/datasets/rows").json()["found"] == f"job {profiling}"
    do_profile(client, tmp_path)
    data = {"source": {"kind": "dataset", "name": "rows"}}
    job = client.post("/v1/jobs", json=spec(data=data, tasks=TASKS)).json()["id"]
    exporting, _ = store.jobs.submit(JobKind.EXPORT, "export", {"job": {"data": data}, "route": {}})
    for waiting in (job, exporting.id):
        refused = client.delete("/v1/datasets/rows")
        assert (refused.status_code, refused.json()["found"]) == (409, f"job {waiting}")
        assert client.post(f"/v1/jobs/{waiting}:cancel").json()["state"] == JobState.CANCELLED
    assert store.collect_garbage(older_than_s=-1) == ()
    assert client.delete("/v1/datasets/rows").status_code == 204
    assert client.get("/v1/datasets/rows").status_code == 404
    assert store.collect_garbage(older_than_s=-1) == (SHA256,)


def test_unused_files_are_forgotten_and_used_ones_stay(client: TestClient) -> None:
    store = store_of(client)
    other = b"a,b\n1,2\n"
    digest = hashlib.sha256(other).hexdigest()
    client.put(PLACE, content=FILE)
    client.put(f"/v1/uploads/{digest}?size_bytes={len(other)}", content=other)
    register(client)
    assert store.uploads.forget(older_than_s=60) == 0
    assert store.uploads.forget(older_than_s=-1) == 2
    assert store.collect_garbage(older_than_s=-1) == (digest,)
    assert register(client, "again").status_code == 202  # the first data set has it


def test_the_client_goes_on_after_a_lost_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: TestClient
) -> None:
    (tmp_path / "rows.csv").write_bytes(FILE)
    monkeypatch.setattr("mtnas.sending.PIECE_BYTES", 100)
    monkeypatch.setattr("mtnas.sending._PAUSE_S", 0.0)
    asked: list[tuple[str, int]] = []

    def send(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, len(request.content)))
        answer = client.request(request.method, str(request.url), content=request.content, headers=request.headers)
        if len(asked) == 3:  # the bytes came, their answer did not
            raise httpx.ReadError("gone", request=request)
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    http = httpx.Client(transport=httpx.MockTransport(send), base_url="http://127.0.0.1:8000")
    heard: list[int] = []
    made = Client(http=http).upload_dataset(
        "rows", [tmp_path / "rows.csv"], listener=lambda upload: heard.append(upload.received_bytes)
    )
    assert made.state == "pending"
    assert sum(size for method, size in asked if method == "PUT") == len(FILE)  # nothing twice
    assert heard == sorted(heard)
    with pytest.raises(ConflictError):
        Client(http=http).delete_dataset("rows")
