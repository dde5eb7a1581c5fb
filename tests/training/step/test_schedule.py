"""Schedules against the library's scheduler."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from mtnas.errors import TrainingError
from mtnas.training.step.schedule import ScheduleKind, lr_factor, one_cycle


@pytest.mark.parametrize("total_steps", [5, 7, 10, 33, 100, 1234])
@pytest.mark.parametrize("warmup", [0.25, 0.3, 0.5])
@pytest.mark.parametrize(("initial_division", "final_division"), [(25.0, 1e4), (3.0, 7.0)])
def test_one_cycle_equals_the_library(
    total_steps: int, warmup: float, initial_division: float, final_division: float
) -> None:
    peak = 0.7
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=peak,
        total_steps=total_steps,
        pct_start=warmup,
        div_factor=initial_division,
        final_div_factor=final_division,
        cycle_momentum=False,
    )
    for step in range(total_steps):
        factor = one_cycle(
            step,
            total_steps,
            warmup=warmup,
            initial_division=initial_division,
            final_division=final_division,
        )
        assert peak * factor == pytest.approx(scheduler.get_last_lr()[0], rel=1e-12)
        optimiser.step()
        scheduler.step()


@pytest.mark.parametrize("kind", ["one_cycle", "flat_cosine"])
@pytest.mark.parametrize("total_steps", range(1, 9))
def test_any_run_length_reaches_the_peak_and_stays_positive(total_steps: int, kind: ScheduleKind) -> None:
    factors = [lr_factor(kind, step=step, total_steps=total_steps) for step in range(total_steps)]
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) > 0.5


def test_constant_is_one() -> None:
    assert {lr_factor("constant", step=step, total_steps=9) for step in range(9)} == {1.0}


@pytest.mark.parametrize("step", [-1, 5])
def test_a_step_outside_the_run_is_refused(step: int) -> None:
    with pytest.raises(TrainingError, match=r"a step in \[0, 5\)"):
        lr_factor("constant", step=step, total_steps=5)


def test_flat_cosine_rises_stays_and_falls() -> None:
    factors = [lr_factor("flat_cosine", step=step, total_steps=200) for step in range(200)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert set(factors[10:100]) == {1.0}
    assert all(later < earlier for earlier, later in pairwise(factors[100:]))
    assert factors[149] == pytest.approx(0.5, abs=0.01)
    assert factors[-1] < 0.001
