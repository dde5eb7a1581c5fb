"""The Trainable that Tune runs: an actor that takes one pack after another, a few events a step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch
from ray.tune import Trainable

from mtnas.data import EncodedData
from mtnas.data.encoding.cache import CachedData
from mtnas.errors import TrainingError
from mtnas.run.packs.pack_events import PackCheckpoint, PackEnd, PackEvent, PackFailed, PackStarted
from mtnas.run.packs.pack_task import PackTask
from workers.ray.pack_actor import events

TELL_S = 0.25
LONGEST_NAP_S = 0.2


class PackTrainable(Trainable):
    """One process, one thread; lives on between trials. Never sees the database, saves nothing."""

    def setup(self, config: dict[str, Any]) -> None:
        """Start without a pack."""
        torch.set_num_threads(1)
        self._key, self._naps = "", 0
        self._events: Iterator[PackEvent] = iter(())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another trial; the pack of the last one, if it was stopped, is let go."""
        self._events, self._naps = iter(()), 0
        return True

    def take(self, task: PackTask, data: EncodedData | CachedData) -> None:
        """The pack of this trial, sent ahead of the first step."""
        self._key, self._events = task.key, events(task, data)

    def step(self) -> dict[str, Any]:
        """Go on until there is something to tell: a state to resume from, an end, or some progress.

        A trial whose pack has ended goes on without one until it is stopped because another pack waits: Tune keeps no
        more than one actor without a trial, and starting one takes seconds.
        """
        began, told = time.monotonic(), list[PackEvent]()
        try:
            for event in self._events:
                told.append(event)
                worth_telling = isinstance(event, PackStarted | PackCheckpoint | PackEnd)
                if worth_telling or time.monotonic() - began > TELL_S:
                    break
        except Exception as error:  # the edge of the process: a fault in the code costs this pack only
            found = TrainingError(
                expected="a pack without internal errors",
                found=f"{type(error).__name__}: {error}",
                where=f"pack {self._key!r}",
            )
            told.append(PackFailed(key=self._key, place=None, error=found))
        if not told:
            time.sleep(min(LONGEST_NAP_S, 0.02 * self._naps))
            self._naps += 1
        return {"events": told}
