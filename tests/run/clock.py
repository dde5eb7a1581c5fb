"""A clock that goes as the test says, so that deadlines fall where the test means them to on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Clock:
    """Stands in for the module ``time``: goes on by ``tick_s`` with every look at it, and else only when told."""

    def __init__(self, *, tick_s: float = 1e-6) -> None:
        self.tick_s, self._now_s = tick_s, 1e9

    def time(self) -> float:
        """See ``time.time``."""
        self._now_s += self.tick_s
        return self._now_s

    monotonic = time

    def sleep_until(self, moment_s: float) -> None:
        """Let time go by, none if the moment has passed."""
        self._now_s = max(self._now_s, moment_s)


@contextmanager
def running(clock: Clock) -> Iterator[Clock]:
    """Searches and packs of this process go by this clock."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("packs.pack_training", "work_clock"):
            patch.setattr(f"mtnas.run.{module}.time", clock)
        yield clock
