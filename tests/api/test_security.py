"""What may come in."""

import hashlib
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from mtnas.errors import SpecError
from tests.api.service import running, spec

TOKEN = "correct-horse"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_listening_beyond_this_machine_needs_tokens(tmp_path: Path, host: str) -> None:
    with pytest.raises(SpecError, match="MTNAS_HOST"):
        create_app(Settings(home=tmp_path, host=host))
    create_app(Settings(home=tmp_path, host=host, token_hashes=(HASH,)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_none(tmp_path: Path, host: str) -> None:
    create_app(Settings(home=tmp_path, host=host))


def test_a_peer_from_elsewhere_is_refused_without_tokens(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        elsewhere = TestClient(client.app, base_url="http://127.0.0.1:8000", client=("192.0.2.9", 1))
        response = elsewhere.get("/healthz")
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("friend.example", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
    ],
)
def test_only_known_host_names_are_served(tmp_path: Path, host: str, status: int) -> None:
    with running(tmp_path, allowed_hosts="friend.example") as client:
        assert client.get("/healthz", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 202),
        ("http://127.0.0.1:8000", 202),
        ("https://friend.example", 202),
        ("http://evil.example", 403),
        ("http://127.0.0.1:9999", 403),
        ("null", 403),
    ],
)
def test_changes_come_from_the_own_origin_only(tmp_path: Path, origin: str | None, status: int) -> None:
    headers = {} if origin is None else {"Origin": origin}
    with running(tmp_path, allowed_origins="https://friend.example") as client:
        assert client.post("/v1/jobs", json=spec(), headers=headers).status_code == status
        assert client.get("/v1/jobs", headers=headers).status_code == 200


def test_a_form_of_a_browser_is_no_specification(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        response = client.post("/v1/jobs", content="{}", headers={"Content-Type": "text/plain"})
        assert response.status_code == 422


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_a_413(tmp_path: Path, *, chunked: bool) -> None:
    body = b'{"name": "' + b"x" * 5000 + b'"}'
    headers = {"Content-Type": "application/json"}
    with running(tmp_path, max_body_bytes=2000) as client:
        response = client.post("/v1/jobs", content=iter([body]) if chunked else body, headers=headers)
    assert response.status_code == response.json()["status"] == 413


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 401), ("Bearer wrong", 401), (f"Basic {TOKEN}", 401), (f"Bearer {HASH}", 401), (f"Bearer {TOKEN}", 200)],
)
def test_with_tokens_only_their_bearers_come_in(tmp_path: Path, authorization: str | None, status: int) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with running(tmp_path, host="0.0.0.0", token_hashes=("f" * 64, HASH), allowed_hosts="127.0.0.1") as client:
        response = client.get("/v1/jobs", headers=headers)
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    assert response.status_code == status
    assert ("www-authenticate" in response.headers) == (status == 401)
