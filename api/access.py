"""Who may do what: tokens of the settings and of the store, and the role that a request needs."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from api.settings import Settings
from mtnas.errors import StoreError
from mtnas.store import Store, TokenRole
from mtnas.store.tokens import sha256_of

COOKIE = "mtnas_session"
FRESH_S = 2.0
"""Seconds for which what the store said of its tokens counts: a token that is revoked opens nothing after that."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_RANK = {TokenRole.READ: 0, TokenRole.SUBMIT: 1, TokenRole.ADMIN: 2}
_log = logging.getLogger(__name__)


def needed_role(method: str) -> TokenRole:
    """What a request must be allowed to do: look, change something, or delete what others may need."""
    if method in _SAFE_METHODS:
        return TokenRole.READ
    return TokenRole.ADMIN if method == "DELETE" else TokenRole.SUBMIT


def suffices(role: TokenRole, needed: TokenRole) -> bool:
    """Whether a role holds another one."""
    return _RANK[role] >= _RANK[needed]


def token_of(headers: Headers) -> str:
    """The token of a request: in its header, or in the cookie of a browser that has signed in; empty without any."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme:
        return token.strip() if scheme.lower() == "bearer" else ""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


_NOBODY: dict[str, TokenRole] = {"": TokenRole.READ}
"""Roles that ask everybody for a token and that no token has: nothing has an empty hash."""


class TokenBook:
    """The roles of all tokens. Those of the settings are admins, for they can do nothing less."""

    def __init__(self, settings: Settings) -> None:
        self._fixed = {sha256.lower(): TokenRole.ADMIN for sha256 in settings.token_hashes}
        self._roles: Mapping[str, TokenRole] = self._fixed
        self._read_at, self._has_read = float("-inf"), False

    @property
    def is_empty(self) -> bool:
        """Whether there are no tokens, so that none is asked for."""
        return not self._roles

    def role(self, token: str) -> TokenRole | None:
        """What the bearer of a token may do; ``None`` if nobody knows it."""
        digest, found = sha256_of(token), None
        for known, role in self._roles.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(digest, known):
                found = role
        return found

    async def refresh(self, store: Store | None) -> None:
        """Hear what has become of the store's tokens, unless that is known. Keeps to what it knew if nobody answers."""
        if store is None or time.monotonic() - self._read_at < FRESH_S:
            return
        self._read_at = time.monotonic()
        try:
            records = await run_in_threadpool(store.tokens.list)
        except StoreError as error:
            _log.warning("reading tokens failed", extra={"error": str(error)})
            self._read_at = float("-inf")
            if not self._has_read:  # there may be some, so nobody comes in
                self._roles = self._fixed or _NOBODY
            return
        self._has_read = True
        known = {record.sha256: record.role for record in records if record.revoked_at is None}
        # Where there were tokens there are to be some: revoking the last one must not open the door to everybody.
        if records and not known and not self._fixed:
            known = _NOBODY
        self._roles = {**known, **self._fixed}
