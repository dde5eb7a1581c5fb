"""The Executor on Ray: packs on actors, events streamed back, packs of dead actors taken up again."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, RayTaskError
from ray.exceptions import OutOfMemoryError as RayOutOfMemoryError

from mtnas.data import EncodedData
from mtnas.errors import LostActorError, MtnasError, OutOfMemoryError, TrainingError
from mtnas.run.packs.pack_events import PackCheckpoint, PackEnd, PackEvent, PackFailed, PackStarted
from mtnas.run.packs.pack_task import PackTask
from mtnas.trials import Place
from workers.ray.actor_pool import ActorPool
from workers.ray.pack_actor import travelling

LOOK_S = 0.5
DEATHS = (RayActorError, RayOutOfMemoryError, NodeDiedError, ObjectLostError)
"""What a pack's stream says when its actor has died. A large event is lost with the node that it lay on."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Flight:
    """A pack on its way."""

    task: PackTask
    deaths: int = 0
    actor: Any = None
    place: Place | None = None


class RayExecutor:
    """Runs a job's packs on the actors of a pool.

    Args:
        pool: the actors.
        max_packs: packs at one time at most.
        num_gpus: share of a GPU that every actor gets; 0 for packs on processors.
        check: raises when the work must stop; called at least twice a second.
        most_deaths: a pack is tried again after so many deaths of its actor; after one more it has failed.
    """

    def __init__(
        self,
        pool: ActorPool,
        *,
        max_packs: int,
        num_gpus: float,
        check: Callable[[], None],
        most_deaths: int = 2,
    ) -> None:
        self._pool, self._max_packs, self._num_gpus, self._check = pool, max_packs, num_gpus, check
        self._most_deaths = most_deaths
        self._shared: tuple[EncodedData, Any] | None = None

    def prepare(self) -> None:
        """Start the actors without waiting for them."""
        self._pool.prepare(num_gpus=self._num_gpus, wanted=self._max_packs)

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``mtnas.run.executor.Executor``. Closing the iterator kills the actors of running packs."""
        if not tasks:
            return
        self.prepare()
        shared = self._share(tasks, data)
        waiting = deque(_Flight(task=task) for task in tasks)
        running: dict[Any, _Flight] = {}
        try:
            while waiting or running:
                self._check()
                while waiting and (actor := self._pool.take()) is not None:
                    flight = waiting.popleft()
                    flight.actor = actor
                    running[actor.run.options(num_returns="streaming").remote(flight.task, shared)] = flight
                for stream in self._heard(running, starting=bool(waiting)):
                    yield from self._listen(stream, running, waiting)
        finally:
            for flight in running.values():
                self._pool.discard(flight.actor)

    def _heard(self, running: dict[Any, _Flight], *, starting: bool) -> list[Any]:
        """Streams that have an event, after waiting for one, or for an actor that starts where one is missing."""
        awaited = [*running, *(self._pool.awaited if starting else ())]
        if not awaited:
            time.sleep(LOOK_S)
            return []
        ready, _ = ray.wait(awaited, num_returns=1, timeout=LOOK_S)
        return [reference for reference in ready if reference in running]

    def _share(self, tasks: Sequence[PackTask], data: EncodedData) -> Any:
        """The data in shared memory, put there once a job: actors read it in place, on other nodes from one copy.

        Data that is streamed stays in the cache, which every node must see.
        """
        if self._shared is None or self._shared[0] is not data:
            self._shared = (data, ray.put(travelling(tasks, data)))
        return self._shared[1]

    def _listen(self, stream: Any, running: dict[Any, _Flight], waiting: deque[_Flight]) -> Iterator[PackEvent]:
        """The next event of a stream that has one, or what its end means."""
        flight = running[stream]
        try:
            event: PackEvent = ray.get(next(stream))
        except DEATHS as error:
            del running[stream]
            self._pool.bury(flight.actor)
            flight.deaths += 1
            _log.warning("actor died", extra={"pack": flight.task.key, "deaths": flight.deaths, "reason": str(error)})
            if flight.deaths <= self._most_deaths:
                waiting.appendleft(flight)
            else:
                yield PackFailed(key=flight.task.key, place=flight.place, error=_death(flight, error))
            return
        except RayTaskError as error:
            # Not one of our errors, so a fault in the code: it costs this pack only, and the trace is in the log.
            del running[stream]
            self._pool.give_back(flight.actor)
            _log.error("pack broke", extra={"pack": flight.task.key, "trace": str(error)})
            yield PackFailed(key=flight.task.key, place=flight.place, error=_fault(flight, error))
            return
        match event:
            case PackStarted():
                flight.place = event.place
            case PackCheckpoint():
                flight.task = replace(flight.task, resume=event.state)
            case _ if isinstance(event, PackEnd):
                # Before the event is handed out: whoever gets it may run a further pack in answer to it.
                del running[stream]
                self._pool.give_back(flight.actor)
        yield event


def _death(flight: _Flight, error: Exception) -> MtnasError:
    kind = OutOfMemoryError if isinstance(error, RayOutOfMemoryError) else LostActorError
    return kind(
        expected="an actor that lives as long as the pack",
        found=f"{flight.deaths} that died, the last one because: {' '.join(str(error).split())[:300]}",
        where=f"pack {flight.task.key!r}",
    )


def _fault(flight: _Flight, error: RayTaskError) -> MtnasError:
    return TrainingError(
        expected="a pack without internal errors",
        found=f"{type(error.cause).__name__}: {error.cause}",
        where=f"pack {flight.task.key!r}",
    )
