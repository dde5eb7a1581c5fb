"""Who may do what: tokens of the settings and of the store, and the role that a request needs."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from api.settings import Settings
from mtnas.errors import StoreError
from mtnas.store import Store, TokenRecord, TokenRole
from mtnas.store.tokens import sha256_of

COOKIE = "mtnas_session"
FRESH_S = 2.0
"""Seconds for which what the store said of its tokens counts: a token that is revoked opens nothing after that."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ADMINS_ONLY = ("/v1/audit", "/metrics")
"""Beginnings of the paths that tell of everybody."""
_RANK = {TokenRole.READ: 0, TokenRole.SUBMIT: 1, TokenRole.ADMIN: 2}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who sends a request.

    Attributes:
        key: tells one bearer from another.
        name: of the token, for people.
        owner: whose jobs and data sets these are that they see and make.
        role: what they may do with them; an admin sees and changes everybody's.
    """

    key: str
    name: str
    owner: str
    role: TokenRole


ALONE = Identity(key="local", name="local", owner="local", role=TokenRole.ADMIN)
"""Whoever asks a service without tokens, which listens to this machine alone."""


def needed_role(method: str, path: str) -> TokenRole:
    """What a request must be allowed to do: look, change something of one's own, or look at what all have done."""
    if path.startswith(ADMINS_ONLY):
        return TokenRole.ADMIN
    return TokenRole.READ if method in _SAFE_METHODS else TokenRole.SUBMIT


def suffices(role: TokenRole, needed: TokenRole) -> bool:
    """Whether a role holds another one."""
    return _RANK[role] >= _RANK[needed]


def token_of(headers: Headers) -> str:
    """The token of a request: in its header, or in the cookie of a browser that has signed in; empty without any."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme:
        return token.strip() if scheme.lower() == "bearer" else ""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


_NOBODY = {"": Identity(key="", name="nobody", owner="", role=TokenRole.READ)}
"""Asks everybody for a token that there is not: nothing has an empty hash."""


class TokenBook:
    """Who the bearers of all tokens are. Those of the settings are admins, for they can do nothing less."""

    def __init__(self, settings: Settings) -> None:
        self._fixed = {
            sha256.lower(): Identity(key=sha256[:16], name="settings", owner="local", role=TokenRole.ADMIN)
            for sha256 in settings.token_hashes
        }
        self._known: Mapping[str, Identity] = self._fixed
        self._read_at, self._has_read = float("-inf"), False

    @property
    def is_empty(self) -> bool:
        """Whether there are no tokens, so that none is asked for."""
        return not self._known

    def bearer(self, token: str) -> Identity | None:
        """Who has this token; ``None`` if nobody knows it."""
        digest, found = sha256_of(token), None
        for known, identity in self._known.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(digest, known):
                found = identity
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
                self._known = self._fixed or _NOBODY
            return
        self._has_read = True
        known = {record.sha256: _identity(record) for record in records if record.revoked_at is None}
        # Where there were tokens there are to be some: revoking the last one must not open the door to everybody.
        if records and not known and not self._fixed:
            known = _NOBODY
        self._known = {**known, **self._fixed}


def _identity(record: TokenRecord) -> Identity:
    return Identity(key=record.id, name=record.name, owner=record.owner, role=record.role)
