"""Search spaces: the catalogue."""

from __future__ import annotations

from fastapi import APIRouter

import search_spaces
from mtnas.messages import SearchSpaceEntry, SearchSpacePage

router = APIRouter(prefix="/v1/search-spaces", tags=["search spaces"])


@router.get("")
def list_search_spaces() -> SearchSpacePage:
    """Every search space of the catalogue with its options and their defaults."""
    return SearchSpacePage(items=tuple(SearchSpaceEntry.model_validate(entry) for entry in search_spaces.describe()))
