"""The front of a job: its routes that no other beats on every objective."""

from __future__ import annotations

from mtnas.store import RouteRecord, Store


def front_of(store: Store, job_id: str) -> tuple[RouteRecord, ...]:
    return ()
