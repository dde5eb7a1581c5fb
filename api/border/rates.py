"""Rates: how many requests one bearer may send, counted by a bucket of places that fills with time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

MOST_BUCKETS = 10_000
"""Bearers that are remembered; whoever is forgotten begins with a full bucket."""


class Rates:
    """Buckets by key, in this process alone: with several web processes each allows as much.

    Args:
        per_s: places that come back a second.
        burst: places of a full bucket.
        clock: seconds that only grow.
    """

    def __init__(self, *, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str) -> int:
        """Take a place; gives 0, or after how many whole seconds there will be one."""
        now = self._clock()
        left, since = self._buckets.pop(key, (float(self._burst), now))
        left = min(left + (now - since) * self._per_s, float(self._burst))
        taken = left >= 1
        self._buckets[key] = (left - 1 if taken else left, now)
        if len(self._buckets) > MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]  # whoever was silent for longest
        return 0 if taken else max(1, math.ceil((1 - left) / self._per_s))
