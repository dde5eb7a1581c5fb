"""Reports, and the count of reads of a test part."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtnas.errors import NotFoundError
from mtnas.store import Holding, Store


def test_report_is_written_and_replaced(store: Store, holding: Holding) -> None:
    with pytest.raises(NotFoundError, match="report"):
        store.reports.get(holding.lease.job_id)
    holding.put_report({"verdict": None})
    holding.put_report({"verdict": "better", "gain": float("-inf")})
    assert store.reports.get(holding.lease.job_id).report == {"verdict": "better", "gain": None}


@pytest.mark.parametrize("value", [2.930751374890639e16, 5e-324, 1.7976931348623157e308, -0.0, 0.1 + 0.2, 2**63, 1.0])
def test_numbers_come_back_exactly_and_of_their_kind(store: Store, holding: Holding, value: float) -> None:
    holding.put_report({"value": value})
    stored = store.reports.get(holding.lease.job_id).report["value"]
    assert (repr(stored), type(stored)) == (repr(value), type(value))


def test_keys_keep_their_order(store: Store, holding: Holding) -> None:
    holding.put_report({"zebra": 1, "a": 2, "monkey": 3})
    assert list(store.reports.get(holding.lease.job_id).report) == ["zebra", "a", "monkey"]


def test_reads_of_a_test_part_count_across_jobs_and_once_per_job(store: Store, claim: Callable[..., Holding]) -> None:
    one, two = claim(), claim()
    assert store.test_reads.count("data") == 0
    assert [one.count_test_read("data"), one.count_test_read("data"), two.count_test_read("data")] == [1, 1, 2]
    assert two.count_test_read("other data") == 1
    assert store.test_reads.count("data") == 2
