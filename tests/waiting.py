"""Waiting for what another process or thread does: as long as it takes, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

HANGS_S = 240.0
"""After so long nothing is slow any more: it hangs. No test measures time by it."""


def wait_for(look: Callable[[], T], *, told: Callable[[], object] = lambda: "", every_s: float = 0.05) -> T:
    """What ``look`` gives, once that is something.

    Args:
        look: gives something empty as long as there is nothing to see.
        told: what to say if that never comes.
        every_s: seconds between looks.
    """
    deadline = time.monotonic() + HANGS_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited too long {told()}"
        time.sleep(every_s)
    return found


def wait_until(get: Callable[[], T], holds: Callable[[T], bool], *, every_s: float = 0.05) -> T:
    """What ``get`` gives, once this holds of it."""
    seen: list[T] = []

    def look() -> bool:
        seen[:] = [get()]
        return holds(seen[0])

    wait_for(look, told=lambda: f"for {holds}, and saw {seen[0]}", every_s=every_s)
    return seen[0]
