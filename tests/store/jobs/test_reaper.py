"""The reaper, and the workers that a store knows."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mtnas.errors import StoreError
from mtnas.store import Holding, JobKind, JobState, Store
from mtnas.store.jobs.reaper import Reaper
from tests.store.jobs.test_leases import lapse


def test_a_lapsed_job_goes_back_to_the_queue(store: Store, holding: Holding) -> None:
    lapse(store, holding.lease)
    assert store.jobs.num_lapsed() == 1
    Reaper(store.leases, every_s=60, shutdown=threading.Event()).look()
    assert store.jobs.get(holding.lease.job_id).state is JobState.QUEUED
    assert (store.jobs.num_lapsed(), store.jobs.queued()) == (0, {JobKind.SEARCH: 1})


def test_leases_that_ran_out_while_the_database_was_away_get_time_to_be_renewed(
    store: Store, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaper = Reaper(store.leases, every_s=60, shutdown=threading.Event(), grace_s=3600)

    def away(**_: object) -> None:
        raise StoreError(expected="a database that answers", found="none", where="database")

    with monkeypatch.context() as patch:
        patch.setattr(store.leases, "reap", away)
        reaper.look()
    lapse(store, holding.lease)
    reaper.look()
    assert store.jobs.get(holding.lease.job_id).state is JobState.RUNNING
    assert not store.leases.renew(holding.lease).cancel


def test_workers_tell_that_they_are_there_and_that_they_leave(store: Store) -> None:
    for name in ("a", "b"):
        store.workers.beat(name, version="1", kinds=[JobKind.SEARCH], devices=["cpu"])
    before = store.workers.list()
    store.workers.beat("a", version="2", kinds=[JobKind.PROFILE], devices=["cpu"])
    store.workers.leave("b")
    (after,) = store.workers.list()
    assert [(worker.name, worker.is_alive) for worker in before] == [("a", True), ("b", True)]
    assert (after.name, after.version, tuple(after.kinds)) == ("a", "2", ("profile",))
    assert after.started_at == before[0].started_at
    assert after.beat_at >= before[0].beat_at
    assert not store.workers.list(silent_s=-60)[0].is_alive


def test_the_web_process_reaps_and_tells_of_workers(tmp_path: Path) -> None:
    from tests.api.service import claimed, running, spec, store_of
    from tests.waiting import wait_for

    with running(tmp_path, reap_s=0.05) as client:
        job_id = client.post("/v1/jobs", json=spec()).json()["id"]
        waiting = client.get("/v1/system").json()
        claimed(store_of(client), lease_s=-1.0)
        wait_for(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] == "queued")
        store_of(client).workers.beat("w", version="1", kinds=[JobKind.SEARCH], devices=["cpu"])
        served = client.get("/v1/system").json()
    assert (waiting["queued"]["search"], waiting["workers"]) == (1, [])
    assert waiting["warnings"] == ["no worker takes jobs of kind search, and some are queued"]
    assert ([worker["name"] for worker in served["workers"]], served["warnings"]) == (["w"], [])
