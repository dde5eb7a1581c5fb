"""Tokens: each may do what its role says and nothing else, at every endpoint there is; revoked ones open nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api import access
from api.app import create_app
from api.settings import Settings
from mtnas.cli.app import app
from mtnas.errors import SpecError, StoreError
from mtnas.store import Store, TokenRole
from mtnas.store.tokens import sha256_of
from tests.api.service import running, spec, store_of


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(access, "FRESH_S", 0.0)
    with running(tmp_path) as opened:
        yield opened


def test_from_the_first_token_on_everybody_needs_one_and_a_revoked_one_opens_nothing(client: TestClient) -> None:
    assert client.get("/v1/jobs").status_code == 200
    record, text = store_of(client).tokens.create("ci", TokenRole.SUBMIT, owner="ci")
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/v1/jobs").status_code == 401
    assert client.post("/v1/jobs", json=spec(), headers=headers).status_code == 202
    store_of(client).tokens.revoke(record.id)
    assert client.get("/v1/jobs", headers=headers).status_code == 401
    assert client.get("/v1/jobs").status_code == 401, "without any left, nobody comes in"


def test_a_browser_signs_in_and_out(client: TestClient) -> None:
    _, text = store_of(client).tokens.create("me", TokenRole.READ)
    page = {"Accept": "text/html"}
    turned_away = client.get("/v1/jobs", headers=page, follow_redirects=False)
    assert (turned_away.status_code, turned_away.headers["location"]) == (303, "/login")
    assert client.get("/login").status_code == 200
    assert client.post("/login", data={"token": "mtnas_no"}).status_code == 401
    signed_in = client.post("/login", data={"token": text}, follow_redirects=False)
    cookie = signed_in.headers["set-cookie"]
    assert signed_in.status_code == 303
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict"))
    assert client.get("/v1/jobs").status_code == 200
    assert client.post("/v1/jobs", json=spec()).status_code == 403, "the cookie may no more than the token"
    client.cookies.clear()
    assert client.get("/v1/jobs").status_code == 401


def test_a_foreign_page_cannot_sign_a_browser_in(client: TestClient) -> None:
    answer = client.post("/login", data={"token": "x"}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_tokens_of_the_store_open_other_addresses(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, host="0.0.0.0")
    with Store.open(settings.database, artifacts=settings.artifacts) as store:
        with pytest.raises(SpecError):
            create_app(settings)
        record, text = store.tokens.create("a", TokenRole.ADMIN)
        create_app(settings)
        assert text not in str(store.tokens.list())
        store.tokens.revoke(record.id)
        with pytest.raises(SpecError):
            create_app(settings)


def test_answers_tell_browsers_to_be_careful(client: TestClient) -> None:
    for path in ("/v1/jobs", "/nowhere", "/login"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert headers["x-frame-options"] == "DENY"
        assert "default-src" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] in ("no-store", "private, no-cache"), "what may be kept is asked for again"
        assert len(headers.get_list("content-security-policy")) == 1


def test_while_the_tokens_cannot_be_read_nobody_comes_in(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StoreError(expected="a database that answers", found="none", where="database")

    with monkeypatch.context() as patch:
        patch.setattr(store_of(client).tokens, "list", away)
        assert client.get("/v1/jobs").status_code == 401
    assert client.get("/v1/jobs").status_code == 200, "there are none, as is known now"


def test_tokens_are_made_shown_and_revoked_from_the_command_line(tmp_path: Path) -> None:
    def mtnas(*words: str) -> str:
        found = CliRunner().invoke(app, ["token", *words, "--home", str(tmp_path)])
        assert found.exit_code == 0, found.output
        return found.output

    text = mtnas("create", "ci", "--role", "read").splitlines()[-1]
    settings = Settings(home=tmp_path)
    with Store.open(settings.database, artifacts=settings.artifacts) as store:
        (record,) = store.tokens.list()
    assert record.sha256 == sha256_of(text)
    assert text not in mtnas("list")
    assert (record.owner, record.role) == ("ci", TokenRole.READ), "by default it works on what is its own"
    assert "revoked" in mtnas("revoke", record.id)
    with Store.open(settings.database, artifacts=settings.artifacts) as store:
        told = [(entry.actor, entry.action, entry.target.split()[0]) for entry in store.audit.list()]
    assert told == [("command line", f"{verb} token", record.id) for verb in ("revoke", "create")]
    assert CliRunner().invoke(app, ["token", "create", "x", "--role", "god", "--home", str(tmp_path)]).exit_code != 0
