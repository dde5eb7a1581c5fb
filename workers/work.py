"""What a worker does with a job of each kind, and the backend that trains for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from mtnas.store import JobKind, Store
from workers.loop import Work
from workers.profile_job import profile_dataset
from workers.ray.cluster import cluster
from workers.settings import Settings
from workers.training_job import Backend, Training


@contextmanager
def open_work(settings: Settings, store: Store) -> Iterator[tuple[Mapping[JobKind, Work], Callable[[], None]]]:
    """How to run jobs of each kind, and what to do when there are none, while the backend is there."""
    with _open_backend(settings) as backend:
        training = Training(settings, store, backend)
        work_by_kind: dict[JobKind, Work] = {
            JobKind.PROFILE: partial(profile_dataset, settings, store),
            JobKind.SEARCH: training.search,
            JobKind.EXTEND: training.extend,
            JobKind.EXPORT: training.export,
        }
        yield {kind: work_by_kind[kind] for kind in settings.kinds}, backend.rest


@contextmanager
def _open_backend(settings: Settings) -> Iterator[Backend]:
    if settings.executor == "local":
        from workers.local_backend import LocalBackend

        yield LocalBackend()
        return
    with cluster(settings):
        # Not before: ray reads its environment when it is imported, and the cluster has just set it.
        from workers.ray.ray_backend import RayBackend

        yield RayBackend(settings)
