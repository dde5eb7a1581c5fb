"""Actors that live on between packs and jobs: starting one takes seconds, most of them for importing torch."""

from __future__ import annotations

import logging
import time
from typing import Any

import ray
from ray.exceptions import RayActorError

from mtnas.errors import ServiceError
from workers.ray.pack_actor import PackActor
from workers.ray.room import ActorSize, RoomWatch

MOST_FAILED_STARTS = 3
PATIENCE_S = 30.0
_LOOK_S = 2.0

_log = logging.getLogger(__name__)


class ActorPool:
    """Pack actors of one size, started ahead of the packs and on whatever nodes the cluster has.

    An actor counts as idle only once it has answered, so no pack waits for a place while another actor is free.

    Args:
        wait_s: seconds to wait for a node that can hold an actor, where the cluster has none.
    """

    def __init__(self, *, wait_s: float = 0.0) -> None:
        self._room = RoomWatch(wait_s=wait_s)
        self._size = ActorSize()
        self._idle: list[Any] = []
        self._starting: dict[Any, Any] = {}
        self._num_busy = 0
        self._wanted = 1
        self._num_failed = 0
        self._looked, self._told = float("-inf"), time.monotonic()

    @property
    def awaited(self) -> list[Any]:
        """References that are ready once an actor has started."""
        return list(self._starting)

    def prepare(self, *, num_gpus: float, wanted: int) -> None:
        """Be ready for actors with so much of a GPU each: as many as fit, ``wanted`` at most.

        Starts them without waiting, so that they import torch while the caller reads data.
        """
        size = ActorSize(num_gpus=num_gpus)
        if size != self._size:
            self.close()
            self._size = size
        self._wanted, self._told = wanted, time.monotonic()
        self._fill()

    def take(self) -> Any | None:
        """An idle actor; ``None`` when all are busy or have not started yet. Follows nodes that come and go.

        Raises:
            SpecError: no node has had so much of a GPU for ``wait_s``.
            ServiceError: no node has had a processor for so long, or actors do not start.
        """
        self._note_started()
        if time.monotonic() - self._looked > _LOOK_S:
            self._fill()
        if not self._idle and not self._num_busy and time.monotonic() - self._told > PATIENCE_S:
            self._told = time.monotonic()
            _log.warning("no actor has started yet: others may be using the cluster", extra={"actor": str(self._size)})
        if not self._idle or self._num_busy >= self._wanted:
            return None
        self._num_busy += 1
        return self._idle.pop()

    def give_back(self, actor: Any) -> None:
        """The actor has finished its pack."""
        self._num_busy -= 1
        self._idle.append(actor)

    def discard(self, actor: Any) -> None:
        """End an actor in the middle of a pack."""
        self._num_busy -= 1
        ray.kill(actor, no_restart=True)

    def bury(self, actor: Any) -> None:
        """An actor has died. Its node may have, so the idle ones must answer again before they get a pack."""
        self.discard(actor)
        while self._idle:
            self._await(self._idle.pop())
        self._fill()

    def close(self) -> None:
        """End the actors that have no pack."""
        for actor in (*self._idle, *self._starting.values()):
            ray.kill(actor, no_restart=True)
        self._idle.clear()
        self._starting.clear()

    def _note_started(self) -> None:
        if not self._starting:
            return
        ready, _ = ray.wait(list(self._starting), num_returns=len(self._starting), timeout=0)
        for reference in ready:
            actor = self._starting.pop(reference)
            try:
                ray.get(reference)
            except RayActorError as error:
                ray.kill(actor, no_restart=True)
                self._num_failed += 1
                reason = " ".join(str(error).split())[:300]
                _log.warning("actor did not start", extra={"reason": reason})
                if self._num_failed >= MOST_FAILED_STARTS:
                    self._num_failed = 0
                    raise ServiceError(
                        expected="actors that start",
                        found=f"{MOST_FAILED_STARTS} that did not, the last one because: {reason}",
                        where="Ray cluster",
                    ) from error
            else:
                self._num_failed = 0
                self._idle.append(actor)

    def _fill(self) -> None:
        """Start what the nodes can hold and the packs can use."""
        self._looked = time.monotonic()
        fitting = min(self._wanted, self._room.look(self._size))
        living = len(self._idle) + len(self._starting) + self._num_busy
        for _ in range(living, fitting):
            options = {"num_cpus": self._size.num_cpus, "num_gpus": self._size.num_gpus, "max_restarts": 0}
            self._await(ray.remote(PackActor).options(**options).remote())

    def _await(self, actor: Any) -> None:
        self._starting[actor.ready.remote()] = actor
