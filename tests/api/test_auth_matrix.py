"""Who may do what, at every operation of the OpenAPI document: nobody may what is not said here, and owners are apart.

The operations come from the document, so that one that is added is asked too, and is closed unless it is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi.testclient import TestClient

from api import access
from mtnas.store import JobKind, TokenRole
from tests.api.found import finish_search
from tests.api.service import running, spec, store_of

OPEN = {"/healthz", "/readyz"}
FOR_ADMINS = {"/v1/audit", "/metrics"}
PAGES = ("/", "/new", "/datasets", "/system", "/docs", "/openapi.json", "/jobs/{job_id}", "/jobs/{job_id}/state")
PAGES_OF_A_JOB = (
    *("/jobs/{job_id}/routes", "/jobs/{job_id}/charts/trials.json", "/routes/{route_id}"),
    "/compare?job_id={job_id}&first={route_id}&second={route_id}",
)


@dataclass
class Service:
    """A service with what Ann has, and what others may use it with."""

    client: TestClient
    texts: dict[str, str]
    hers: dict[str, str]

    def ask(self, who: str, method: str, path: str, **changed: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.texts[who]}"} if who in self.texts else {}
        url = path.format(**self.hers | changed)
        answer: httpx.Response = self.client.request(method, url, headers=headers, follow_redirects=False)
        return answer

    def ended_job(self) -> str:
        store = store_of(self.client)
        job, _ = store.jobs.submit(JobKind.SEARCH, "ended", {}, owner="ann")
        return store.jobs.request_cancel(job.id).id

    def begun_upload(self, who: str) -> str:
        sha256 = hashlib.sha256(who.encode()).hexdigest()
        assert self.ask(who, "PUT", "/v1/uploads/{sha256}?size_bytes=5", sha256=sha256).json()["received_bytes"] == 0
        return sha256


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running(tmp_path_factory.mktemp("matrix"), rate_per_s=1e6, rate_burst=10**6) as client,
    ):
        patch.setattr(access, "FRESH_S", 0.0)
        tokens = store_of(client).tokens
        texts = {
            "read": tokens.create("ann's notebook", TokenRole.READ, owner="ann")[1],
            "submit": tokens.create("ann", TokenRole.SUBMIT, owner="ann")[1],
            "other": tokens.create("bob", TokenRole.SUBMIT, owner="bob")[1],
            "admin": tokens.create("root", TokenRole.ADMIN)[1],
            "bad": "mtnas_no",
        }
        headers = {"Authorization": f"Bearer {texts['submit']}", "Idempotency-Key": "one"}
        job = client.post("/v1/jobs", json=spec(name="secret plan"), headers=headers).json()["id"]
        route = finish_search(store_of(client))[0].digest
        (export,) = client.get(f"/v1/routes/{route}/exports", headers=headers).json()["items"]
        source = {"kind": "catalogue", "name": "planted"}
        client.post("/v1/datasets", json={"name": "secret-rows", "source": source}, headers=headers)
        file = b"age,clicked\n1,0\n"
        sha256 = hashlib.sha256(file).hexdigest()
        client.put(f"/v1/uploads/{sha256}?size_bytes={len(file)}", content=file, headers=headers)
        hers = {"sha256": sha256, "job_id": job, "route_id": route, "export_id": export["id"], "name": "secret-rows"}
        yield Service(client, texts, hers)


@pytest.fixture(scope="module")
def operations(service: Service) -> list[tuple[str, str]]:
    paths = service.ask("admin", "GET", "/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods if path not in OPEN]
    assert len(found) > 25
    return found


def test_without_a_known_token_nothing_is_answered(service: Service, operations: list[tuple[str, str]]) -> None:
    for method, path in [*operations, *(("GET", page) for page in PAGES + PAGES_OF_A_JOB)]:
        for who in ("nobody", "bad"):
            answer = service.ask(who, method, path)
            assert answer.status_code == 401, (who, method, path)
            assert "secret plan" not in answer.text
    for path in OPEN:
        assert service.ask("nobody", "GET", path).status_code == 200


def test_what_is_somebody_elses_is_not_there(service: Service, operations: list[tuple[str, str]]) -> None:
    before = service.ask("submit", "GET", "/v1/jobs/{job_id}").json()
    for method, path in [*operations, *(("GET", page) for page in PAGES + PAGES_OF_A_JOB)]:
        answer = service.ask("other", method, path)
        if path in FOR_ADMINS:
            assert answer.status_code == 403
        elif "{" in path and path != "/v1/routes/{route_id}/exports":
            assert answer.status_code in (404, 422), (
                method,
                path,
            )  # 422: its body is looked at first, whose ever it is
        else:
            assert answer.status_code in (200, 404, 422), (method, path)
        # Neither a name nor an id that was not in the question.
        known = [value for key, value in service.hers.items() if f"{{{key}}}" not in path]
        assert not any(value in answer.text for value in (*known, "secret plan")), (method, path)
    assert service.ask("submit", "GET", "/v1/jobs/{job_id}").json() == before
    assert service.ask("other", "GET", "/v1/routes/{route_id}/exports").json()["items"] == []


def test_looking_takes_read_and_changing_takes_submit(service: Service, operations: list[tuple[str, str]]) -> None:
    for method, path in operations:
        is_closed = path in FOR_ADMINS or method != "GET"
        status = service.ask("read", method, path).status_code
        assert status == 403 if is_closed else status in (200, 409), (method, path, status)
    for page in PAGES + PAGES_OF_A_JOB:
        assert service.ask("read", "GET", page).status_code == 200, page


@pytest.mark.parametrize("who", ["submit", "admin"])
def test_owners_and_admins_may_the_rest(service: Service, operations: list[tuple[str, str]], who: str) -> None:
    for method, path in operations:
        changed = {"job_id": service.ended_job()} if method != "GET" and "{job_id}" in path else {}
        if "{sha256}" in path:  # what somebody is sending is theirs alone
            changed["sha256"] = service.begun_upload(who)
        status = service.ask(who, method, path, **changed).status_code
        if path in FOR_ADMINS:
            assert status == (200 if who == "admin" else 403)
        else:
            assert status < 500, (method, path)
            assert status not in (401, 403, 404), (method, path, status)


def test_the_same_idempotency_key_of_another_is_another_request(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.texts['other']}", "Idempotency-Key": "one"}
    made = service.client.post("/v1/jobs", json=spec(name="secret plan"), headers=headers)
    assert made.status_code == 202
    assert made.json()["id"] != service.hers["job_id"]


def test_nobody_builds_on_what_somebody_else_has_trained(service: Service) -> None:
    graph = service.ask("submit", "GET", "/v1/jobs/{job_id}").json()["spec"]["space"]["graph"]
    base = {"job": service.hers["job_id"], "trial": 0, "route": "x", "graph": graph}
    for source in ({"kind": "dataset", "name": "secret-rows"}, None):
        changes = {"base": base} if source is None else {"data": {"source": source}}
        headers = {"Authorization": f"Bearer {service.texts['other']}"}
        answer = service.client.post("/v1/jobs", json=spec(**changes), headers=headers)
        assert answer.status_code in (404, 422), answer.text


def test_what_was_changed_and_tried_is_in_the_audit(service: Service) -> None:
    service.client.post("/v1/jobs", json=spec(), headers={"Authorization": f"Bearer {service.texts['read']}"})
    sent = {"Authorization": f"Bearer {service.texts['other']}", "X-Request-ID": "bobs-1"}
    answer = service.client.post(f"/v1/jobs/{service.hers['job_id']}:cancel", headers=sent)
    assert answer.headers["x-request-id"] == "bobs-1"
    entries = service.ask("admin", "GET", "/v1/audit?limit=2").json()["items"]
    found = [(e["actor"], e["owner"], e["role"], e["action"], e["status"]) for e in entries]
    assert found == [("bob", "bob", "submit", "POST", 404), ("ann's notebook", "ann", "read", "POST", 403)]
    assert (entries[0]["target"], entries[0]["request_id"]) == (f"/v1/jobs/{service.hers['job_id']}:cancel", "bobs-1")
    of_ann = service.ask("admin", "GET", "/v1/audit?actor=ann").json()["items"]
    assert {entry["actor"] for entry in of_ann} == {"ann"}
    first = service.ask("admin", "GET", "/v1/audit?limit=1").json()
    assert (
        first["items"][0]["id"]
        > service.ask("admin", "GET", f"/v1/audit?cursor={first['next']}").json()["items"][0]["id"]
    )
