"""The client's wire: one connection pool, typed answers, problem documents as errors, event streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from mtnas import messages as m
from mtnas import problems
from mtnas.errors import MtnasError, ServiceError
from mtnas.sse import ServerSentEvent, read_events

DEFAULT_URL = "http://127.0.0.1:8000"
_Answer = TypeVar("_Answer", bound=m.Answer)
_AWAY = (502, 503, 504)
"""What a proxy says while the service starts again, and the service while its database does."""


class Wire:
    """Requests to one service; ``Client`` says which there are."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        timeout_s: float = 60.0,
        patience_s: float = 60.0,
        http: httpx.Client | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http or httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=False)
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _ask(
        self,
        answer: type[_Answer],
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Answer:
        response = self._request(method, path, params=params, json=json, headers=headers)
        return answer.model_validate_json(response.content)

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            response = self._http.request(method, path, params=given, json=json, content=content, headers=headers)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error_of(response)
        return response

    @contextmanager
    def _open(self, path: str) -> Iterator[httpx.Response]:
        try:
            with self._http.stream("GET", path) as response:
                if response.is_error:
                    response.read()
                    raise _error_of(response)
                yield response
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    @contextmanager
    def _stream(self, job_id: str, after: int) -> Iterator[Iterator[ServerSentEvent]]:
        path, headers = f"/v1/jobs/{quoted(job_id)}/events", {"Last-Event-ID": str(after)}
        timeout = httpx.Timeout(**(self._http.timeout.as_dict() | {"read": None}))
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.status_code in _AWAY:
                raise httpx.RemoteProtocolError(f"{response.status_code} {response.reason_phrase}")
            if response.is_error:
                response.read()
                raise _error_of(response)
            yield read_events(response.iter_text())

    def _unreachable(self, error: httpx.TransportError) -> ServiceError:
        return ServiceError(
            expected="a running service (mtnas serve)",
            found=f"{type(error).__name__}: {error}",
            where=str(self._http.base_url),
        )


def quoted(part: str) -> str:
    """A part of a path, whatever it holds."""
    return quote(part, safe="")


def _error_of(response: httpx.Response) -> MtnasError:
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        document = response.json()
        error = problems.from_document(document)
        for other in document.get("errors", [])[1:]:
            error.add_note(f"{other['where']}: expected {other['expected']}, found {other['found']}")
        return error
    return ServiceError(
        expected="an answer", found=f"{response.status_code} {response.reason_phrase}", where=str(response.url)
    )
