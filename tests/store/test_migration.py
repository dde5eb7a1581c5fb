"""The migrations make the schema that the code expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from mtnas.errors import MtnasError, StoreError
from mtnas.store import JobKind, Store, TrialResult
from mtnas.store.database import Database
from mtnas.store.tables import METADATA
from mtnas.trials import TrialState
from tests.store.values import complete, new_trial


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
    pruned = TrialResult(number=1, state=TrialState.PRUNED, values={"gain": 0.5})
    with Store.open(empty_url, artifacts=artifacts_folder) as store:
        job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
        lease = store.leases.claim("worker")
        assert lease is not None
        holding = store.hold(lease)
        holding.add_trials([new_trial(0), new_trial(1)])
        holding.finish_trials([complete(0, gain=1.0)])
        before = store.trials.get(job.id, 0)
        with pytest.raises(MtnasError):
            holding.finish_trials([pruned])
    monkeypatch.undo()
    with Store.open(empty_url, artifacts=artifacts_folder) as store:
        assert store.trials.get(job.id, 0) == before
        store.hold(lease).finish_trials([pruned])
        assert store.trials.get(job.id, 1).state is TrialState.PRUNED
        assert store.trials.counts(job.id)[TrialState.PRUNED] == 1


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
