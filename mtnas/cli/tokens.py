"""Commands about bearer tokens. They work on the store itself: whoever may read its folder is its administrator."""

from __future__ import annotations

from pathlib import Path

from mtnas.cli.connection import console, print_json, table
from mtnas.errors import SpecError
from mtnas.places import Places
from mtnas.store import Store, TokenRecord, TokenRole

SHOWN = ("id", "name", "role", "created_at", "revoked_at")


def create(name: str, *, role: str, owner: str | None, home: Path) -> None:
    """Make a token and show it, once. By default its owner is called as it is, and an admin's ``local``.

    Raises:
        SpecError: no such role.
    """
    if role not in [*TokenRole]:
        raise SpecError(expected=f"one of {', '.join(TokenRole)}", found=repr(role), where="--role")
    with _open(home) as store:
        whose = owner or ("local" if role == TokenRole.ADMIN else name)
        record, text = store.tokens.create(name, TokenRole(role), owner=whose)
        _tell(store, "create token", record)
    print(f"token {record.id} ({record.name}, {record.role}, owner {record.owner}); it is not shown again:")
    print(text)


def list_tokens(*, as_json: bool, home: Path) -> None:
    """Show what tokens there are."""
    with _open(home) as store:
        records = store.tokens.list()
    if as_json:
        print_json({"items": [{name: getattr(record, name) for name in SHOWN} for record in records]})
        return
    shown = table("id", "name", "owner", "role", "created", "revoked")
    for record in records:
        revoked = "" if record.revoked_at is None else f"{record.revoked_at:%Y-%m-%d %H:%M}"
        created = f"{record.created_at:%Y-%m-%d %H:%M}"
        shown.add_row(record.id, record.name, record.owner, record.role, created, revoked)
    console.print(shown)


def revoke(token_id: str, *, home: Path) -> None:
    """Let a token open nothing any more; running services hear of it within seconds."""
    with _open(home) as store:
        record = store.tokens.revoke(token_id)
        _tell(store, "revoke token", record)
    print(f"token {record.id} ({record.name}): revoked")


def _tell(store: Store, action: str, record: TokenRecord) -> None:
    target = f"{record.id} {record.name}"
    store.audit.add(actor="command line", owner=record.owner, role=TokenRole.ADMIN, action=action, target=target)


def _open(home: Path) -> Store:
    places = Places(home=home.absolute())
    places.home.mkdir(parents=True, exist_ok=True)
    return Store.open(places.database, artifacts=places.artifacts)
