"""Actors that live on between packs and jobs: starting one takes seconds, most of them for importing torch."""

from __future__ import annotations

from typing import Any

import ray

from workers.pack_actor import PackActor


class ActorPool:
    """Pack actors of one size: one processor each, or a share of a GPU."""

    def __init__(self) -> None:
        self._idle: list[Any] = []
        self._size: tuple[int, float] = (1, 0.0)
        self._num_busy = 0
        self._most = 1

    def prepare(self, *, num_gpus: float, wanted: int) -> None:
        """Be ready for actors with so much of a GPU each: as many as fit, ``wanted`` at most.

        Starts them without waiting, so that they import torch while the caller reads data.
        """
        size = (1, num_gpus)
        if size != self._size:
            self.close()
            self._size = size
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        fitting = int(resources.get("CPU", 1))
        if num_gpus > 0:
            fitting = min(fitting, int(resources.get("GPU", 0) / num_gpus))
        self._most = max(1, min(wanted, fitting))
        while len(self._idle) + self._num_busy < self._most:
            self._idle.append(self._start())

    def take(self) -> Any | None:
        """An idle actor, or a new one in place of one that died; ``None`` when all are busy."""
        if self._num_busy >= self._most:
            return None
        self._num_busy += 1
        return self._idle.pop() if self._idle else self._start()

    def give_back(self, actor: Any) -> None:
        """The actor has finished its pack."""
        self._num_busy -= 1
        self._idle.append(actor)

    def discard(self, actor: Any) -> None:
        """End an actor in the middle of a pack, or bury one that died."""
        self._num_busy -= 1
        ray.kill(actor, no_restart=True)

    def close(self) -> None:
        """End the idle actors."""
        while self._idle:
            ray.kill(self._idle.pop(), no_restart=True)

    def _start(self) -> Any:
        num_cpus, num_gpus = self._size
        return ray.remote(PackActor).options(num_cpus=num_cpus, num_gpus=num_gpus, max_restarts=0).remote()
