"""Training on Ray actors that live as long as the worker."""

from __future__ import annotations

from collections.abc import Callable

import ray

from mtnas.spec import ResourcesSpec
from workers.actor_pool import ActorPool
from workers.ray_executor import RayExecutor


class RayBackend:
    """The actors of the cluster that this process is connected to."""

    def __init__(self) -> None:
        self._pool = ActorPool()

    @property
    def has_gpu(self) -> bool:
        """Whether the cluster has a GPU."""
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return resources.get("GPU", 0) > 0

    def executor(self, resources: ResourcesSpec, *, device: str, check: Callable[[], None]) -> RayExecutor:
        """An executor for one job; its actors begin to start, so that they are there when the data is read."""
        executor = RayExecutor(
            self._pool, max_packs=resources.max_packs, gpus_per_pack=resources.gpus_per_pack, check=check
        )
        executor.prepare(device)
        return executor
