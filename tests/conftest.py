"""The order of the suite: the longest file first, the many short ones last, the others as collected.

Files that start clusters lie in several folders, so that most of them run beside tests that only compute; begun
together at either end, they starve each other (measured). Short files at the end keep all processes busy until then.
"""

from __future__ import annotations

import pytest

LONGEST = "tests/workers/test_nodes.py"
SHORT = ("tests/supernets/", "tests/training/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort as above."""
    items.sort(key=lambda item: 0 if item.nodeid.startswith(LONGEST) else 2 if item.nodeid.startswith(SHORT) else 1)
