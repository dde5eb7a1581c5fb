"""Batches and epochs follow from the rows, unless they are said."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mtnas.spec.run_length import RunLength, run_length


def length(num_rows: int, **changes: Any) -> RunLength:
    given: dict[str, Any] = {"num_tasks": 3, "own_rows": False, "batch_size": "auto", "epochs": "auto"}
    return run_length(num_rows=num_rows, **{**given, "least_steps": 400, **changes})


@given(
    num_rows=st.integers(1, 3_000_000),
    num_tasks=st.integers(1, 300),
    own_rows=st.booleans(),
    least_steps=st.integers(1, 5000),
)
def test_a_training_never_has_fewer_steps_than_stated(
    num_rows: int, num_tasks: int, *, own_rows: bool, least_steps: int
) -> None:
    found = length(num_rows, num_tasks=num_tasks, own_rows=own_rows, least_steps=least_steps)
    in_epoch = max(1, num_rows // (found.batch_size * (num_tasks if own_rows else 1)))
    assert found.epochs * in_epoch >= least_steps
    assert (found.epochs - 1) * in_epoch < least_steps or found.epochs == 4


def test_more_rows_make_larger_batches() -> None:
    assert [length(n).batch_size for n in (300, 2_000, 10_000, 150_000, 500_000)] == [32, 64, 256, 512, 1024]


def test_rows_of_one_task_each_share_a_batch() -> None:
    assert length(10_000, num_tasks=5, own_rows=True).batch_size == 32
    assert length(1_000, num_tasks=50, own_rows=True).batch_size == 16


def test_what_is_said_stays() -> None:
    assert length(10_000, batch_size=64, epochs=2, least_epochs=9) == RunLength(batch_size=64, epochs=2)


def test_rungs_that_ask_for_epochs_get_them() -> None:
    assert length(2_000_000, least_epochs=8.5).epochs == 9
