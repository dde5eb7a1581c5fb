"""The order of the suite: the longest file first, the others as collected.

Tests that start clusters lie in several folders, so that most of them run beside tests that only compute; begun
together at either end, they starve each other (measured).
"""

from __future__ import annotations

import pytest

LONGEST = "tests/workers/test_nodes.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort as above."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
