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


def test_reads_of_a_test_part_count_across_jobs_and_once_per_job(store: Store, claim: Callable[..., Holding]) -> None:
    one, two = claim(), claim()
    assert store.test_reads.count("data") == 0
    assert [one.count_test_read("data"), one.count_test_read("data"), two.count_test_read("data")] == [1, 1, 2]
    assert two.count_test_read("other data") == 1
    assert store.test_reads.count("data") == 2
