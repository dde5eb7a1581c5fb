"""Arrays that are mapped from files."""

from __future__ import annotations

import mmap
from typing import Any

from numpy.typing import NDArray


def forget_pages(array: NDArray[Any]) -> None:
    """Give back the memory of what was read of a mapped array; it is read again when it is asked for again."""
    mapping = getattr(array, "_mmap", None)
    if isinstance(mapping, mmap.mmap):
        mapping.madvise(mmap.MADV_DONTNEED)
