"""The application over a fresh SQLite store, and requests that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from mtnas.store import Lease, Store


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[TestClient]:
    """A client of the running application, as a browser or program on this machine would be."""
    app = create_app(Settings(home=folder / "home", data_roots=(folder / "data",), **settings))
    client = TestClient(
        app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50000), raise_server_exceptions=False
    )
    with client:
        yield client


def store_of(client: TestClient) -> Store:
    """The store behind the application."""
    store: Store = client.app.state.store  # type: ignore[attr-defined]
    return store


def spec(**changes: Any) -> dict[str, Any]:
    """A small valid job specification."""
    return {
        "name": "small",
        "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"kind": "binary", "rows": 400}}},
        "tasks": [
            {"name": "a", "kind": "binary", "label": "task_0"},
            {"name": "b", "kind": "binary", "label": "task_1"},
        ],
        "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
    } | changes


def claimed(store: Store, *, lease_s: float = 60.0) -> Lease:
    """A lease on the oldest queued job."""
    lease = store.leases.claim("test", lease_s=lease_s)
    assert lease is not None
    return lease
