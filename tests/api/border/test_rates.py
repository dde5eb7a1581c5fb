"""Whoever sends too much, or has too much, is told when to come back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import access
from api.border.rates import MOST_BUCKETS, Rates
from mtnas.store import TokenRole
from tests.api.service import claimed, running, spec, store_of


@given(st.lists(st.floats(0, 3), max_size=40))
def test_no_more_than_the_burst_and_what_has_come_back_is_let_through(pauses: list[float]) -> None:
    now = 0.0
    rates = Rates(per_s=2, burst=3, clock=lambda: now)
    let_through = 0
    for pause in pauses:
        now += pause
        wait_s = rates.wait_s("a")
        let_through += not wait_s
        assert wait_s in (0, 1)
        assert let_through <= 3 + 2 * now
    now += 1
    assert rates.wait_s("a") == 0, "after the wait there is a place"


def test_bearers_do_not_share_and_memory_is_bounded() -> None:
    rates = Rates(per_s=0.1, burst=1)
    assert [rates.wait_s("a"), rates.wait_s("b")] == [0, 0]
    assert rates.wait_s("a") > 0
    for number in range(MOST_BUCKETS):
        rates.wait_s(f"other {number}")
    assert rates.wait_s("a") == 0, "forgotten"


def test_too_many_requests_and_too_many_jobs_are_429_with_retry_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "FRESH_S", 0.0)
    with running(tmp_path, rate_per_s=0.01, rate_burst=5, quota_active_jobs=2) as client:
        tokens = store_of(client).tokens
        ann, bob = (
            {"Authorization": f"Bearer {tokens.create(name, TokenRole.SUBMIT, owner=name)[1]}"} for name in "ab"
        )
        key = ann | {"Idempotency-Key": "first"}
        answers = [client.post("/v1/jobs", json=spec(), headers=headers) for headers in (key, ann, ann, key)]
        assert [answer.status_code for answer in answers] == [202, 202, 429, 202], "a repeated request makes no job"
        assert (answers[2].json()["where"], answers[2].headers["retry-after"]) == ("quota.active_jobs", "60")
        client.get("/v1/jobs", headers=ann)
        hasty = client.get("/v1/jobs", headers=ann)
        assert (hasty.status_code, int(hasty.headers["retry-after"]) > 10) == (429, True)
        assert client.get("/v1/jobs", headers=bob).status_code == 200
        assert client.get("/healthz").status_code == 200
        guesses = [client.get("/v1/jobs", headers={"Authorization": "Bearer mtnas_x"}).status_code for _ in range(6)]
        assert guesses == [401] * 5 + [429]


def test_device_seconds_and_bytes_are_counted_and_bound(tmp_path: Path) -> None:
    from mtnas.errors import QuotaError
    from mtnas.store import JobKind, NewTrial, Quota, TrialResult, Viewer
    from mtnas.trials import TrialState

    with running(tmp_path) as client:
        store = store_of(client)
        used = store.seen_by(Viewer(owner="ann", sees_all=False, quota=Quota(device_seconds=10.0, size_bytes=100)))
        used.jobs.submit(JobKind.SEARCH, "first", {})
        holding = store.hold(claimed(store))
        holding.add_trials([NewTrial(number=0, phase="search", label="a", candidate={})])
        used.jobs.submit(JobKind.SEARCH, "second", {})
        evaluations = tuple({"part": "search", "per_task": {}, "costs": {"device_seconds": s}} for s in (6.0, 12.5))
        ended = TrialResult(number=0, state=TrialState.COMPLETE, evaluations=evaluations)
        holding.finish_trials([ended])
        holding.finish_trials([ended])  # the first end counts
        with pytest.raises(QuotaError, match=r"quota.device_seconds.*found 12"):
            used.jobs.submit(JobKind.SEARCH, "third", {})
        more = store.seen_by(Viewer(owner="ann", sees_all=False, quota=Quota(size_bytes=100)))
        more.jobs.submit(JobKind.SEARCH, "third", {})
        holding.save_checkpoint("a", store.artifacts.put_bytes(b"x" * 150))
        with pytest.raises(QuotaError, match=r"quota.size_bytes.*found 150"):
            more.datasets.register("rows", {"kind": "catalogue", "name": "planted"})
        store.jobs.submit(JobKind.SEARCH, "by an admin", {}, owner="ann")
