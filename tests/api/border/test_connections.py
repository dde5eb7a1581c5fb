"""Half-sent requests are cut, whole ones are not; what a proxy says counts where the proxy is trusted."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from api.border import connections
from tests.api.border.serving import listening, said


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "HEADERS_S", 0.4)
        with listening(tmp_path_factory.mktemp("border"), body_wait_s=0.4, root_path="/nas") as opened:
            yield opened


HOST = b"Host: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (b"GET /healthz HT",),
        (b"GET /healthz HTTP/1.1\r\n" + HOST, b"X-Slow: "),
        # A whole request, then half of another one on the same connection.
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /healthz HTTP/1.1\r\n"),
    ],
)
def test_a_request_whose_headers_do_not_end_is_cut(port: int, chunks: tuple[bytes, ...]) -> None:
    answer = said(port, *chunks)
    assert answer.count(b"HTTP/1.1 200") == (1 if len(chunks) == 2 and chunks[0].endswith(b"\r\n\r\n") else 0)


def test_a_body_that_does_not_come_is_given_up_with_408(port: int) -> None:
    headers = HOST + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    answer = said(port, b"POST /v1/jobs HTTP/1.1\r\n" + headers, b'{"name"')
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer


def test_what_comes_slowly_but_comes_is_answered(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):  # kept alive, each request with a time of its own
            assert client.get("/healthz").status_code == 200


def test_below_a_path_of_a_proxy_places_are_named_as_clients_see_them(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    for prefix in ("", "/nas"):  # a proxy that strips its path, and one that does not
        assert httpx.get(f"{url}{prefix}/healthz").status_code == 200
        made = httpx.post(
            f"{url}{prefix}/v1/datasets", json={"name": "planted", "source": {"kind": "catalogue", "name": "planted"}}
        )
        assert made.status_code == 409
        signed_out = httpx.post(f"{url}{prefix}/logout")
        assert signed_out.headers["location"] == "/nas/login"
    assert 'action="/nas/login"' in httpx.get(f"{url}/login").text


def test_whoever_a_trusted_proxy_speaks_for_is_not_from_here(
    port: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    assert httpx.get(f"http://127.0.0.1:{port}/healthz", headers=forwarded).status_code == 403
    with listening(tmp_path_factory.mktemp("alone"), trusted_proxies="") as alone:
        assert httpx.get(f"http://127.0.0.1:{alone}/healthz", headers=forwarded).status_code == 200
