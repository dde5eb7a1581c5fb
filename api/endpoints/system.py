"""The system: what waits, what runs, and which workers are there."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import APIRouter

import mtnas
from api.dependencies import StoreParam
from mtnas.messages import System, WorkerState
from mtnas.store import JobKind

router = APIRouter(prefix="/v1/system", tags=["system"])


@router.get("")
def get_system(store: StoreParam) -> System:
    """Jobs by state, the queue by kind, and the workers; a worker that was silent for a minute is not alive."""
    workers = tuple(WorkerState.model_validate(worker) for worker in store.workers.list())
    queued = store.jobs.queued()
    taken = {kind for worker in workers if worker.is_alive for kind in worker.kinds}
    return System(
        version=mtnas.__version__,
        jobs={state.value: count for state, count in store.jobs.counts().items()},
        queued={kind.value: queued.get(kind, 0) for kind in JobKind},
        workers=workers,
        warnings=(*_untaken(queued, taken), *_lapsed(store.jobs.num_lapsed())),
    )


def _untaken(queued: Collection[JobKind], taken: Collection[str]) -> tuple[str, ...]:
    return tuple(f"no worker takes jobs of kind {kind}, and some are queued" for kind in queued if kind not in taken)


def _lapsed(count: int) -> tuple[str, ...]:
    return (f"running jobs whose worker is gone: {count}",) if count else ()
