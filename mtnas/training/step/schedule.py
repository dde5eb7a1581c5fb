"""Learning-rate schedules: pure functions from the step to a factor on the peak learning rate."""

from __future__ import annotations

import math
from typing import Literal

from mtnas.errors import TrainingError

ScheduleKind = Literal["one_cycle", "flat_cosine", "constant"]


def lr_factor(kind: ScheduleKind, *, step: int, total_steps: int) -> float:
    """The factor on the peak learning rate at a step.

    Args:
        kind: which schedule.
        step: optimiser steps taken before this one, in ``[0, total_steps)``.
        total_steps: length of the whole run.

    Raises:
        TrainingError: a step outside the run.
    """
    if not 0 <= step < total_steps:
        raise TrainingError(expected=f"a step in [0, {total_steps})", found=str(step), where="schedule")
    match kind:
        case "one_cycle":
            return one_cycle(step, total_steps)
        case "flat_cosine":
            return flat_cosine(step, total_steps)
        case "constant":
            return 1.0


def one_cycle(
    step: int,
    total_steps: int,
    *,
    warmup: float = 0.3,
    initial_division: float = 25.0,
    final_division: float = 1e4,
) -> float:
    """Cosine up to 1, then cosine down (one-cycle; Smith and Topin, 2017, https://arxiv.org/abs/1708.07120).

    Equals ``torch.optim.lr_scheduler.OneCycleLR`` with two phases and without cycled momentum. Runs too short for a
    warm-up phase start at the peak.

    Args:
        step: optimiser steps taken before this one.
        total_steps: length of the whole run.
        warmup: share of the run in which the factor rises.
        initial_division: the first factor is 1 over this.
        final_division: the last factor is the first one over this.
    """
    initial = 1.0 / initial_division
    peak_step = max(0.0, warmup * total_steps - 1.0)
    if step < peak_step:
        return _cosine(initial, 1.0, step / peak_step)
    descent = total_steps - 1.0 - peak_step
    return _cosine(1.0, initial / final_division, (step - peak_step) / descent if descent > 0 else 0.0)


def flat_cosine(step: int, total_steps: int, *, warmup: float = 0.05, flat: float = 0.5) -> float:
    """A short linear rise, then 1, then a cosine down to 0 (as RealMLP has it; Holzmueller et al., 2024).

    Args:
        step: optimiser steps taken before this one.
        total_steps: length of the whole run.
        warmup: share of the run in which the factor rises.
        flat: share of the run at which it begins to fall.
    """
    rising = min(1.0, (step + 1.0) / max(1.0, warmup * total_steps))
    descent = max(0.0, (step + 1.0 - flat * total_steps) / max(1.0, (1.0 - flat) * total_steps))
    return rising * _cosine(1.0, 0.0, min(1.0, descent) * (1.0 - 0.5 / total_steps))


def _cosine(start: float, end: float, progress: float) -> float:
    """From ``start`` to ``end`` along half a cosine wave."""
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * progress))
