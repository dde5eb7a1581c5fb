"""The migrations make the schema that the code expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, insert, inspect, text

from mtnas.errors import MtnasError, StoreError
from mtnas.store import FailureKind, JobKind, Store
from mtnas.store.database import Database
from mtnas.store.tables import METADATA
from mtnas.trials import TrialState

WHEN = "2026-01-31 23:59:59.999"
FIRST_VERSION: dict[str, dict[str, Any]] = {  # rows as the first version wrote them
    "jobs": {"id": "j", "kind": "search", "name": "a", "owner": "local", "spec": {}, "state": "queued", "progress": {}}
    | dict.fromkeys(("attempt", "attempts_used", "last_event"), 0)
    | {"max_attempts": 3, "cancel_requested": False, "pause_requested": False}
    | {"created_at": WHEN, "updated_at": WHEN},
    "trials": {"job_id": "j", "number": 0, "phase": "search", "label": "a", "state": "complete", "candidate": {}}
    | {"values": {"gain": 1.0}, "evaluations": [], "notes": {}, "attempt": 1, "created_at": WHEN, "finished_at": WHEN},
}


def schema(connection: Connection) -> dict[str, Any]:
    """All that the database says about the tables, in comparable form."""
    inspector = inspect(connection)
    told: dict[str, Any] = {}
    for name in inspector.get_table_names():
        if name == "alembic_version":
            continue
        columns = [column | {"type": repr(column["type"])} for column in inspector.get_columns(name)]
        named = (
            inspector.get_check_constraints(name),
            inspector.get_foreign_keys(name),
            inspector.get_unique_constraints(name),
            inspector.get_indexes(name),
        )
        sorted_parts = [sorted(part, key=lambda one: str(one["name"])) for part in named]
        told[name] = [columns, inspector.get_pk_constraint(name), *sorted_parts]
    return told


def test_migrated_schema_equals_the_tables(empty_url: str, artifacts_folder: Path) -> None:
    database = Database(empty_url)
    with database.write() as connection:
        METADATA.create_all(connection)
    with database.read() as connection:
        expected = schema(connection)
    with database.write() as connection:
        METADATA.drop_all(connection)
    database.close()
    with Store.open(empty_url, artifacts=artifacts_folder):
        pass
    with database.read() as connection:
        assert schema(connection) == expected
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()
    assert len(expected) == len(METADATA.tables)


def test_opening_again_keeps_what_is_stored(empty_url: str, artifacts_folder: Path) -> None:
    with Store.open(empty_url, artifacts=artifacts_folder) as store:
        job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
    with Store.open(empty_url, artifacts=artifacts_folder) as store:
        assert store.jobs.get(job.id) == job
        store.check()


def test_database_of_a_later_version_is_refused(empty_url: str, artifacts_folder: Path) -> None:
    with Store.open(empty_url, artifacts=artifacts_folder) as store:
        database = Database(empty_url)
        with database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        database.close()
        with pytest.raises(StoreError, match="9999"):
            store.check()
    with pytest.raises(StoreError, match="9999"):
        Store.open(empty_url, artifacts=artifacts_folder)


def test_trials_of_the_first_version_are_kept_and_may_end_pruned_after_it(
    empty_url: str, artifacts_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda configuration, _: upgrade(configuration, "0001"))
    with Store.open(empty_url, artifacts=artifacts_folder):
        pass
    monkeypatch.undo()
    database = Database(empty_url)
    with database.write() as connection:
        for name, rows in FIRST_VERSION.items():
            connection.execute(insert(Table(name, MetaData(), autoload_with=connection)), rows)
    to_pruned = text("UPDATE trials SET state = 'pruned' WHERE number = 0")
    with pytest.raises(MtnasError), database.write() as connection:
        connection.execute(to_pruned)
    with Store.open(empty_url, artifacts=artifacts_folder) as store:
        kept = store.trials.get("j", 0)
        assert (kept.state, kept.values, kept.finished_at is not None) == (TrialState.COMPLETE, {"gain": 1.0}, True)
        assert (store.jobs.get("j").stop, store.jobs.get("j").extends) == (None, None)
        lease = store.leases.claim("w")
        assert lease is not None
        store.hold(lease).fail(FailureKind.OUT_OF_DISK, {})  # a kind that the first version did not know
        assert store.jobs.get("j").failure_kind is FailureKind.OUT_OF_DISK
        with database.write() as connection:
            connection.execute(to_pruned)
        assert store.trials.counts("j")[TrialState.PRUNED] == 1
    database.close()


def test_migrations_run_in_one_transaction(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, artifacts_folder: Path
) -> None:
    from alembic import command

    upgrade = command.upgrade

    def fail_at_the_end(*arguments: Any) -> None:
        upgrade(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", fail_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        Store.open(empty_url, artifacts=artifacts_folder)
    database = Database(empty_url)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    database.close()
