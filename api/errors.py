"""Errors on the wire: one table from error class to status, and RFC 9457 documents without stack traces."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from mtnas import errors, problems

STATUSES: dict[type[errors.MtnasError], int] = {
    errors.MtnasError: 500,
    errors.SpecError: 422,
    errors.SpaceError: 422,
    errors.TaskError: 422,
    errors.DataError: 422,
    errors.DataAccessError: 422,
    errors.TrainingError: 500,
    errors.DivergedError: 500,
    errors.OutOfMemoryError: 500,
    errors.LostActorError: 500,
    errors.SearchError: 500,
    errors.ExportError: 500,
    errors.StoreError: 503,
    errors.OutOfDiskError: 507,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.LeaseLostError: 409,
    errors.QuotaError: 429,
    errors.ServiceError: 502,
    errors.CancelledError: 409,
}
"""The status of every error class of ``mtnas.errors``."""

_MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


Show = Callable[[Request, JSONResponse], Response]


def install(app: FastAPI, show: Show = lambda request, problem: problem) -> None:
    """Make the app answer every error with a problem document; ``show`` may make a page of it for a browser."""
    handlers: dict[type[Exception], Handler] = {
        errors.MtnasError: _on_mtnas_error,
        ExceptionGroup: _on_several,
        RequestValidationError: _on_validation_error,
        HTTPException: _on_http_exception,
        Exception: _on_unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, _shown(handler, show))


Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]


def _shown(handler: Handler, show: Show) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return show(request, await handler(request, error))

    return answer


def http_problem(
    status: int, *, instance: str, expected: str, found: str, where: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem of the protocol itself, which no class of ``mtnas.errors`` stands for."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "detail": f"{where}: expected {expected}, found {found}",
        "expected": expected,
        "found": found,
        "where": where,
    }
    headers = {**(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(document, status=status, instance=instance, headers=headers)


def error_problem(error: errors.MtnasError, *others: errors.MtnasError, instance: str) -> JSONResponse:
    """The document of an error; further errors found at the same time go to the extension member ``errors``."""
    document = problems.to_document(error)
    if others:
        document["errors"] = [
            {"expected": each.expected, "found": each.found, "where": each.where} for each in (error, *others)
        ]
    return _response(document, status=STATUSES[type(error)], instance=instance)


_RETRY_AFTER_S = {503: "5", 507: "60", 429: "60"}
"""When a client may try again what only time can mend."""


def _response(
    document: dict[str, Any], *, status: int, instance: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    content = {**document, "status": status, "instance": instance}
    headers = dict(headers or {})
    if status in _RETRY_AFTER_S:
        headers.setdefault("Retry-After", _RETRY_AFTER_S[status])
    return JSONResponse(content, status_code=status, media_type=_MEDIA_TYPE, headers=headers)


async def _on_mtnas_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.MtnasError)
    return error_problem(error, instance=request.url.path)


async def _on_several(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ExceptionGroup)
    ours = [each for each in error.exceptions if isinstance(each, errors.MtnasError)]
    if len(ours) < len(error.exceptions):
        return await _on_unexpected(request, error)
    return error_problem(*ours, instance=request.url.path)


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    in_body = [{**item, "loc": item["loc"][1:]} for item in error.errors() if item["loc"][0] == "body"]
    elsewhere = [item for item in error.errors() if item["loc"][0] != "body"]
    found = problems.from_validation(in_body, error.body) + problems.from_validation(elsewhere, None)
    return error_problem(*found, instance=request.url.path)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    place = {404: "path", 405: "method", 408: "body", 413: "body"}.get(error.status_code, "request")
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    return http_problem(
        error.status_code,
        instance=request.url.path,
        expected="a request that the service knows" if error.status_code < 500 else "an answer",
        found=str(error.detail),
        where=place,
        headers=headers,
    )


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def _methods(request: Request) -> list[str]:
    """What a path takes: several endpoints may share one, each with a method of its own."""
    scope = request.scope
    asked = {method: {**scope, "method": "GET" if method == "HEAD" else method} for method in _METHODS}
    return [
        method
        for method, child in asked.items()
        if any(route.matches(child)[0] is Match.FULL for route in request.app.router.routes)
    ]


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected error", exc_info=error, extra={"path": request.url.path})
    return http_problem(
        500, instance=request.url.path, expected="an answer", found="an internal error, see the log", where="service"
    )
