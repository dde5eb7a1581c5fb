"""How every candidate of a job is trained: what a pack's candidates have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mtnas.training.schedule import ScheduleKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Training settings that a pack shares.

    Attributes:
        batch_size: rows of a step.
        epochs: passes over the training rows.
        schedule: course of the learning rate.
        evaluate_every: steps between looks at ``valid``; None looks at the end of every epoch.
        precision: type of the products; weights are float32 unless it is ``float64``, which is for proofs.
    """

    batch_size: int = 1024
    epochs: int = 4
    schedule: ScheduleKind = "one_cycle"
    evaluate_every: int | None = None
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
