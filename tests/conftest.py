"""The order of the suite: files that start services and clusters take minutes each, so none may be left for last."""

from __future__ import annotations

import pytest

LONGEST = ("workers", "system", "cli", "run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of these folders first, all else as it was collected."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folders = item.nodeid.split("/")[1:-1]
    return LONGEST.index(folders[0]) if folders and folders[0] in LONGEST else len(LONGEST)
