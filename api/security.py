"""What may come in: loopback unless tokens are set, known hosts, own origins, bounded bodies."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import ALONE, Identity, TokenBook, needed_role, suffices, token_of
from api.border.rates import Rates
from api.errors import http_problem
from api.settings import Settings, is_loopback
from mtnas.errors import SpecError
from mtnas.store import Store

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login", "/logout"})
_FILES = "/v1/uploads/"
_PROBES = frozenset({"/healthz", "/readyz"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def check_bind(settings: Settings) -> None:
    """Refuse to listen beyond this machine without tokens.

    Raises:
        SpecError: the address is not a loopback one and no token is configured.
    """
    if not is_loopback(settings.host) and not settings.token_hashes and not _has_tokens(settings):
        raise SpecError(
            expected="a loopback address, or tokens (mtnas token create, MTNAS_TOKEN_HASHES)",
            found=f"address {settings.host} and no tokens",
            where="MTNAS_HOST",
        )


def _has_tokens(settings: Settings) -> bool:
    if settings.database_url is None and not (settings.home / "mtnas.sqlite").exists():
        return False
    with Store.open(settings.database, artifacts=settings.artifacts) as store:
        return any(token.revoked_at is None for token in store.tokens.list())


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is turned away."""

    status: int
    expected: str
    found: str
    where: str
    retry_after_s: int | None = None


class BorderGuard:
    """ASGI middleware that answers what may not come in with a problem document."""

    def __init__(self, app: ASGIApp, settings: Settings, book: TokenBook) -> None:
        self._app = app
        self._settings, self._book = settings, book
        self._rates = Rates(per_s=settings.rate_per_s, burst=settings.rate_burst)
        self._hosts = _LOOPBACK_NAMES | {settings.host.strip("[]").lower(), *settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request, hand on any other."""
        if scope["type"] == "http":
            await self._book.refresh(getattr(scope["app"].state, "store", None))
            send = _with_headers(send, root_path=scope.get("root_path", ""))
            scope["identity"] = self._identify(scope)
        if scope["type"] == "http" and (refusal := self.refuse(scope)):
            if refusal.status == 401 and "text/html" in Headers(scope=scope).get("accept", ""):
                await RedirectResponse("/login", status_code=303)(scope, receive, send)
                return
            response = http_problem(
                refusal.status,
                instance=scope["path"],
                expected=refusal.expected,
                found=refusal.found,
                where=refusal.where,
                headers={} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)},
            )
            await response(scope, receive, send)
        else:
            await self._app(scope, self._limited(receive, most_bytes=self._most_bytes(scope)), send)

    def _most_bytes(self, scope: Scope) -> int:
        """How long a body may be: files are sent to one place only."""
        is_file = scope["type"] == "http" and scope["method"] == "PUT" and get_route_path(scope).startswith(_FILES)
        return self._settings.upload_mib * 2**20 if is_file else self._settings.max_body_bytes

    def _limited(self, receive: Receive, *, most_bytes: int) -> Receive:
        """Bodies are cut off where they pass the limit, whatever length was announced, and where they stop coming."""
        received, is_whole = 0, False

        async def receive_some() -> Message:
            nonlocal received, is_whole
            with anyio.move_on_after(None if is_whole else self._settings.body_wait_s) as waiting:
                message = await receive()
            if waiting.cancelled_caught:
                raise HTTPException(408, f"nothing for {self._settings.body_wait_s:g} s", {"Connection": "close"})
            received += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if received > most_bytes:
                raise HTTPException(413, f"more than {most_bytes} bytes")
            return message

        return receive_some

    def refuse(self, scope: Scope) -> Refusal | None:
        """The first reason to refuse, or ``None``."""
        headers = Headers(scope=scope)
        return (
            self._refuse_peer(scope)
            or self._refuse_host(headers)
            or self._refuse_origin(scope["method"], headers)
            or _refuse_size(headers, limit=self._most_bytes(scope))
            or _refuse_null(scope)
            or self._refuse_haste(scope)
            or self._refuse_token(scope, headers)
        )

    def _identify(self, scope: Scope) -> Identity | None:
        if self._book.is_empty:
            return ALONE
        token = token_of(Headers(scope=scope))
        return self._book.bearer(token) if token else None

    def _refuse_haste(self, scope: Scope) -> Refusal | None:
        """Where tokens are asked for, so many requests a bearer; whoever has none counts by their address."""
        path = get_route_path(scope)
        if self._book.is_empty or path in _PROBES:
            return None
        identity, peer = scope["identity"], scope.get("client")
        wait_s = self._rates.wait_s(f"peer {peer[0] if peer else ''}" if identity is None else identity.key)
        if not wait_s:
            return None
        return Refusal(
            status=429,
            expected=f"at most {self._settings.rate_per_s:g} requests a second",
            found="more",
            where="rate",
            retry_after_s=wait_s,
        )

    def _refuse_peer(self, scope: Scope) -> Refusal | None:
        # The server may be started with another address than the settings say; the peer's address cannot lie.
        peer = scope.get("client")
        if not self._book.is_empty or peer is None or is_loopback(peer[0]):
            return None
        return Refusal(status=403, expected="a request from this machine", found=f"peer {peer[0]}", where="connection")

    def _refuse_host(self, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if _host_name(f"//{host}") in self._hosts:
            return None
        return Refusal(status=400, expected="a host name of this service", found=repr(host), where="header.host")

    def _refuse_origin(self, method: str, headers: Headers) -> Refusal | None:
        origin = headers.get("origin")
        if method in _SAFE_METHODS or origin is None or origin in self._settings.allowed_origins:
            return None
        if _place(origin) == headers.get("host", "").lower():
            return None
        return Refusal(status=403, expected="the service's own origin", found=repr(origin), where="header.origin")

    def _refuse_token(self, scope: Scope, headers: Headers) -> Refusal | None:
        if self._book.is_empty or get_route_path(scope) in _OPEN_PATHS:
            return None
        needed, identity = needed_role(scope["method"], get_route_path(scope)), scope["identity"]
        if identity is None:
            found = "another token" if token_of(headers) else "none"
            return Refusal(status=401, expected="a known bearer token", found=found, where="header.authorization")
        if suffices(identity.role, needed):
            return None
        found = f"one of role {identity.role}"
        return Refusal(status=403, expected=f"a token of role {needed}", found=found, where="header.authorization")


_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)


def _with_headers(send: Send, *, root_path: str) -> Send:
    """Every answer tells browsers to guess no types, to name no pages elsewhere, and to be framed by nobody.

    What it says of places on this service is said as clients of a proxy see them, below ``root_path``.
    """

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = [_placed(name, value, root_path) for name, value in message.get("headers", ())]
            known = {name for name, _ in given}
            message["headers"] = [*given, *((name, value) for name, value in _HEADERS if name not in known)]
        await send(message)

    return send_more


def _placed(name: bytes, value: bytes, root_path: str) -> tuple[bytes, bytes]:
    prefix = root_path.encode()
    is_ours = name == b"location" and value.startswith(b"/") and not value.startswith(prefix + b"/")
    return name, prefix + value if is_ours else value


def _refuse_size(headers: Headers, *, limit: int) -> Refusal | None:
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) <= limit:
        return None
    return Refusal(status=413, expected=f"at most {limit} bytes", found=f"{length} bytes", where="body")


def _refuse_null(scope: Scope) -> Refusal | None:
    """No database takes null characters, and no identifier has any."""
    if "\0" not in scope["path"] and b"%00" not in scope["query_string"]:
        return None
    return Refusal(status=400, expected="text without null characters", found="one", where="path or query")


def _place(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return url


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
