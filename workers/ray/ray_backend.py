"""Training on Ray actors that live as long as the worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mtnas.run import Executor
from mtnas.spec import ResourcesSpec
from workers.ray.actor_pool import ActorPool
from workers.ray.ray_executor import RayExecutor
from workers.ray.room import nodes
from workers.settings import Settings


class RayBackend:
    """The actors of the cluster that this process is connected to.

    Args:
        settings: whether the cluster is shared with others, and how long to wait for its nodes then.
    """

    def __init__(self, settings: Settings) -> None:
        self._is_shared, self._rest_s = settings.ray_address is not None, settings.ray_rest_s
        # No node ever joins a cluster of our own.
        self._wait_s = settings.ray_wait_s if self._is_shared else 0.0
        self._pool = ActorPool(wait_s=self._wait_s)
        self._last_job = time.monotonic()

    def device(self, asked: ResourcesSpec) -> str:
        """See ``workers.training_job.Backend``. A GPU that is asked for by name may be that of a node still to come."""
        if asked.device != "auto":
            return asked.device
        return "cuda" if any(node.get("GPU", 0) > 0 for node in nodes()) else "cpu"

    @contextmanager
    def executor(self, resources: ResourcesSpec, *, device: str, check: Callable[[], None]) -> Iterator[Executor]:
        """An executor for one job, of the kind that its specification names."""
        num_gpus = resources.gpus_per_pack if device == "cuda" else 0.0
        try:
            if resources.driver == "tune":
                yield from self._on_tune(resources.max_packs, num_gpus, check)
            else:
                executor = RayExecutor(self._pool, max_packs=resources.max_packs, num_gpus=num_gpus, check=check)
                # Actors begin to start, so that they are there when the data is read.
                executor.prepare()
                yield executor
        finally:
            self._last_job = time.monotonic()

    def _on_tune(self, max_packs: int, num_gpus: float, check: Callable[[], None]) -> Iterator[Executor]:
        # Not before it is needed: Tune takes a second to import.
        from workers.ray.tune.tune_executor import TuneExecutor

        # Tune starts actors of its own, which need the room.
        self._pool.close()
        executor = TuneExecutor(max_packs=max_packs, num_gpus=num_gpus, wait_s=self._wait_s, check=check)
        try:
            yield executor
        finally:
            executor.close()

    def rest(self) -> None:
        """Idle actors of a shared cluster end after a while: their processors belong to everybody."""
        if self._is_shared and time.monotonic() - self._last_job > self._rest_s:
            self._pool.close()
