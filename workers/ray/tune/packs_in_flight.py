"""Packs on their way through Tune: handed over by the thread of a job, taken by the thread that Tune runs in."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from mtnas.errors import LostActorError, OutOfMemoryError
from mtnas.run.packs.pack_events import PackCheckpoint, PackEnd, PackEvent, PackFailed, PackStarted
from mtnas.run.packs.pack_task import PackTask
from mtnas.trials import Place

PATIENCE_S = 600.0
START_S = 10.0
"""Longer than an actor takes to start where there is room for it."""


@dataclass(slots=True, kw_only=True)
class Flight:
    """A pack on its way: the data it reads, whom to tell of its events, when it became a trial, whether that runs."""

    task: PackTask
    data: Any
    told: SimpleQueue[PackEvent]
    deaths: int = 0
    place: Place | None = None
    is_cancelled: bool = False
    boarded_at: float = 0.0
    has_actor: bool = False


class Flights:
    """All packs of a job; every method may be called from any thread.

    Args:
        most_deaths: a pack is tried again after so many deaths of its actor; after one more it has failed.
        now: a clock, in seconds.
    """

    def __init__(self, most_deaths: int = 2, now: Callable[[], float] = time.monotonic) -> None:
        self._most_deaths, self._now = most_deaths, now
        self._change = threading.Condition()
        self._waiting: deque[Flight] = deque()
        self._aboard: dict[str, Flight] = {}
        self._landed: set[str] = set()
        self._num_promised, self._is_crowded = 0, False
        self._is_closed = False

    def __reduce__(self) -> tuple[type[Flights], tuple[()]]:
        """Nothing: Tune pickles what it is given into its own folder, which nobody ever reads."""
        return Flights, ()

    @property
    def is_closed(self) -> bool:
        """Whether the job is over and Tune must end."""
        return self._is_closed

    def add(self, tasks: Sequence[PackTask], data: Any) -> SimpleQueue[PackEvent]:
        """Line packs up; their events will be in the queue."""
        told: SimpleQueue[PackEvent] = SimpleQueue()
        with self._change:
            self._waiting.extend(Flight(task=task, data=data, told=told) for task in tasks)
            self._change.notify_all()
        return told

    def board(self, trial_id: str) -> Flight | None:
        """The next pack, which becomes that trial; ``None`` if there is none.

        While there are no trials Tune has nothing to do, and after a ``None`` it would sleep: so the call waits then.
        """
        with self._change:
            if not self._aboard and not self._landed:
                self._change.wait_for(lambda: self._waiting or self._is_closed, timeout=PATIENCE_S)
            if self._is_closed or not self._waiting:
                return None
            flight = self._aboard[trial_id] = self._waiting.popleft()
            flight.boarded_at, flight.has_actor = self._now(), False
            return flight

    def start(self, trial_id: str) -> Flight | None:
        """A trial has an actor; which pack it is."""
        with self._change:
            flight = self._aboard.get(trial_id)
            if flight is not None:
                flight.has_actor = True
                self._num_promised = max(0, self._num_promised - 1)
            return flight

    def must_stop(self, trial_id: str) -> bool:
        """Whether a trial must stop: nobody listens to its pack, or its pack has ended and its actor is needed.

        It is needed by a pack that waits, and by one that has become a trial but finds no room for an actor. Not while
        actors are about to start: Tune would give this one to their trials, and end them before they have begun. Once
        a trial has found no room, the cluster counts as crowded and nothing is waited for.
        """
        with self._change:
            if self._is_closed:
                return True
            if (flight := self._aboard.get(trial_id)) is not None:
                return flight.is_cancelled
            if trial_id not in self._landed:
                return True
            without_actor = [other for other in self._aboard.values() if not other.has_actor]
            if without_actor and not self._is_crowded:
                self._is_crowded = any(self._now() - other.boarded_at > START_S for other in without_actor)
                if not self._is_crowded:
                    return False
            if self._num_promised < len(self._waiting) + len(without_actor):
                self._num_promised += 1
                return True
            return False

    def tell(self, trial_id: str, event: PackEvent) -> None:
        """Hand an event of a trial's pack on."""
        with self._change:
            flight = self._aboard.get(trial_id)
            if flight is None:
                return
            match event:
                case PackStarted():
                    flight.place = event.place
                case PackCheckpoint():
                    flight.task = replace(flight.task, resume=event.state)
                case _ if isinstance(event, PackEnd):
                    # Whatever becomes of the trial after this, the pack is done.
                    del self._aboard[trial_id]
                    self._landed.add(trial_id)
            if not flight.is_cancelled:
                flight.told.put(event)

    def land(self, trial_id: str) -> None:
        """A trial has been stopped."""
        with self._change:
            self._aboard.pop(trial_id, None)
            self._landed.discard(trial_id)

    def crash(self, trial_id: str, reason: str) -> None:
        """The actor of a trial has died: its pack goes on in another trial, from its last checkpoint."""
        with self._change:
            self._landed.discard(trial_id)
            flight = self._aboard.pop(trial_id, None)
            if flight is None or flight.is_cancelled:
                return
            flight.deaths += 1
            if flight.deaths <= self._most_deaths:
                self._waiting.appendleft(flight)
                return
        kind = OutOfMemoryError if "OutOfMemory" in reason else LostActorError
        error = kind(
            expected="an actor that lives as long as the pack",
            found=f"{flight.deaths} that died, the last one because: {reason[:300]}",
            where=f"pack {flight.task.key!r}",
        )
        flight.told.put(PackFailed(key=flight.task.key, place=flight.place, error=error))

    def cancel(self, told: SimpleQueue[PackEvent]) -> None:
        """Nobody listens to this queue any more: drop what waits, have stopped what runs."""
        with self._change:
            self._waiting = deque(flight for flight in self._waiting if flight.told is not told)
            for flight in self._aboard.values():
                flight.is_cancelled = flight.is_cancelled or flight.told is told

    def close(self) -> list[str]:
        """The job is over; the trials whose packs still run."""
        with self._change:
            self._is_closed = True
            self._waiting.clear()
            for flight in self._aboard.values():
                flight.is_cancelled = True
            self._change.notify_all()
            return list(self._aboard)
