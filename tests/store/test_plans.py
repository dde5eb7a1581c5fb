"""Frequent queries find their rows by an index, however long the tables grow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from mtnas.store import JobKind, JobState, Store
from mtnas.store.tables import METADATA
from mtnas.trials import TrialState
from tests.store.listening import statements

QUERIES: dict[str, tuple[str, Callable[[Store], object]]] = {
    "claim": ("ix_jobs_state_precedence_id", lambda store: store.leases.claim("w")),
    "claim of a kind": ("ix_jobs_state_precedence_id", lambda store: store.leases.claim("w", kinds=[JobKind.SEARCH])),
    "reap": ("ix_jobs_state_id", lambda store: store.leases.reap()),
    "jobs of an owner": ("ix_jobs_owner_id", lambda store: store.jobs.list(owner="us")),
    "jobs of a state": ("ix_jobs_state_id", lambda store: store.jobs.list(state=JobState.QUEUED)),
    "job": ("pk_jobs", lambda store: _ignore_missing(lambda: store.jobs.get("x"))),
    "trials of a job": ("pk_trials", lambda store: store.trials.list("x")),
    "trials of a job by a value": (
        "pk_trials|ix_trials_job_id_state",
        lambda store: store.trials.list("x", sort="-gain"),
    ),
    "running trials of a job": (
        "ix_trials_job_id_state",
        lambda store: store.trials.list("x", state=TrialState.RUNNING, sort="-gain"),
    ),
    "events after another": ("pk_events", lambda store: store.events.after("x", 7)),
    "routes of a job": ("pk_routes", lambda store: store.routes.list(job_id="x", sort="-gain")),
    "routes of some data": ("ix_routes_data_digest_rank", lambda store: store.routes.list(data_digest="x")),
    "route": ("ix_routes_digest", lambda store: _ignore_missing(lambda: store.routes.get("x"))),
    "exports of a route": ("ix_exports_route_digest", lambda store: store.exports.list(route_digest="x")),
    "data set": ("uq_datasets_owner_name", lambda store: store.datasets.register("x", {}, owner="us")),
}


def _ignore_missing(call: Callable[[], object]) -> None:
    with pytest.raises(LookupError):
        call()


def plan(store: Store, statement: str, parameters: Any) -> str:
    with store._database.write() as connection:
        if store._database.is_sqlite:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "\n".join(str(row[-1]) for row in rows)
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are too short for anything else
        return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))


@pytest.fixture(autouse=True)
def _fresh_files(store: Store) -> None:
    """Planners look at the length of files, which rows that earlier tests have deleted leave behind."""
    if not store._database.is_sqlite:
        with store._database.write() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(METADATA.tables)}"))


@pytest.mark.parametrize("name", QUERIES)
def test_query_uses_its_index(store: Store, name: str) -> None:
    index, query = QUERIES[name]
    with statements(store) as sent:
        query(store)
    asked = [(sql, parameters) for sql, parameters in sent if sql.startswith(("SELECT", "UPDATE"))]
    assert asked
    plans = [plan(store, statement, parameters) for statement, parameters in asked]
    if store._database.is_sqlite:
        index = re.sub(r"(pk|uq)_\w+", "sqlite_autoindex", index)  # SQLite's own names
    assert re.search(index, plans[0]), plans[0]
    for told in plans:
        assert not re.search(r"SCAN (?!figure)|Seq Scan", told), told


def test_claim_reads_no_more_than_one_job_in_order(store: Store) -> None:
    with statements(store) as sent:
        store.leases.claim("w")
    told = plan(store, *next(one for one in sent if one[0].startswith("UPDATE")))
    assert "TEMP B-TREE" not in told
    assert "Sort" not in told


def test_claim_is_one_statement_that_skips_locked_rows(store: Store) -> None:
    store.jobs.submit(JobKind.SEARCH, "a", {})
    with statements(store) as sent:
        store.leases.claim("w")
    first, _ = sent[0]
    assert first.startswith("UPDATE jobs SET state=")
    assert "RETURNING" in first
    assert store._database.is_sqlite or "FOR UPDATE SKIP LOCKED" in first
