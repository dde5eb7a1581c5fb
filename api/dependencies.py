"""What endpoints ask for: the store, the settings, paging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from api.access import Identity
from api.answers.watching import Watch
from api.settings import Settings
from mtnas.data import DataAccess
from mtnas.errors import SpecError
from mtnas.store import Store, TokenRole, Viewer


def get_store(request: Request) -> Store:
    """The store as whoever asks may see it: their own rows, for an admin everybody's, for strangers none."""
    store: Store = request.app.state.store
    identity: Identity | None = request.scope["identity"]
    if identity is None:
        return store.seen_by(Viewer(owner="", sees_all=False))
    if identity.role is TokenRole.ADMIN:
        return store.seen_by(Viewer(owner=identity.owner))
    settings: Settings = request.app.state.settings
    return store.seen_by(Viewer(owner=identity.owner, sees_all=False, quota=settings.quota))


def get_watch(request: Request) -> Watch:
    """What looks for news of the jobs that are followed."""
    watch: Watch = request.app.state.watch
    return watch


def get_settings(request: Request) -> Settings:
    """The settings that the app was made with."""
    settings: Settings = request.app.state.settings
    return settings


def get_access(settings: Annotated[Settings, Depends(get_settings)]) -> DataAccess:
    """Where requests may name files."""
    return DataAccess(roots=settings.data_roots, urls=settings.data_urls, cache=settings.cache)


def get_offset(cursor: Annotated[str | None, Query(max_length=16, examples=["o20"])] = None) -> int:
    """Rows to pass over, from the cursor of the page before.

    Raises:
        SpecError: not a cursor that a page gave.
    """
    if cursor is None:
        return 0
    if not (cursor.startswith("o") and cursor[1:].isdecimal()):
        raise SpecError(expected="a cursor from the page before", found=repr(cursor), where="query.cursor")
    return int(cursor[1:])


def get_labels(
    label: Annotated[
        list[str], Query(max_length=16, description="``name:value``; may be repeated.", examples=[["team:ads"]])
    ] = [],  # noqa: B006  (FastAPI copies it)
) -> Mapping[str, str]:
    """The labels that rows have to carry.

    Raises:
        SpecError: one without a colon.
    """
    for text in label:
        if ":" not in text:
            raise SpecError(expected="name:value", found=repr(text), where="query.label")
    return {name: value for name, _, value in (text.partition(":") for text in label)}


def next_offset(found: int, *, limit: int, offset: int) -> str | None:
    """The cursor of the next page, or ``None`` when this page was not full."""
    return f"o{offset + limit}" if found == limit else None


WatchParam = Annotated[Watch, Depends(get_watch)]
StoreParam = Annotated[Store, Depends(get_store)]
SettingsParam = Annotated[Settings, Depends(get_settings)]
AccessParam = Annotated[DataAccess, Depends(get_access)]
Offset = Annotated[int, Depends(get_offset)]
LabelFilter = Annotated[Mapping[str, str], Depends(get_labels)]
Limit = Annotated[int, Query(ge=1, le=500)]
Identifier = Annotated[str, Path(min_length=1, max_length=200)]
