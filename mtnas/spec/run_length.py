"""How long a training is and how large its batches are, where the job leaves that to its data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Auto = Literal["auto"]

_BATCH_SIZES = ((100_000, 256), (200_000, 512))  # up to so many rows; METHODS.md section 10
_LARGEST_BATCH = 1024
_LEAST_BATCH, _LEAST_BATCH_OF_TASK = 32, 16
_LEAST_BATCHES = 16  # of an epoch, on few rows
_LEAST_EPOCHS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLength:
    """Rows of a step, and passes over the training rows."""

    batch_size: int
    epochs: int


def run_length(
    *,
    num_rows: int,
    num_tasks: int,
    own_rows: bool,
    batch_size: int | Auto,
    epochs: int | Auto,
    least_steps: int,
    least_epochs: float = 1.0,
) -> RunLength:
    """Batch size and epochs of a job, whatever it leaves open chosen by its data.

    Few rows make small batches, so that an epoch has steps enough, and many epochs: four, or as many as it takes for
    ``least_steps``. What is said stays as it is said.

    Args:
        num_rows: to train on; with ``own_rows`` labelled ones of all tasks together.
        num_tasks: of the job.
        own_rows: whether batches hold ``batch_size`` rows of every task.
        batch_size: as the job says.
        epochs: as the job says.
        least_steps: of a training whose epochs are ``auto``.
        least_epochs: that something else asks for, such as the rungs of halving.
    """
    batch = _batch_size(num_rows, num_tasks if own_rows else 1) if batch_size == "auto" else batch_size
    if epochs != "auto":
        return RunLength(batch_size=batch, epochs=epochs)
    in_epoch = max(1, num_rows // (batch * (num_tasks if own_rows else 1)))
    wanted = max(_LEAST_EPOCHS, math.ceil(least_epochs), math.ceil(least_steps / in_epoch))
    return RunLength(batch_size=batch, epochs=wanted)


def _batch_size(num_rows: int, num_parts: int) -> int:
    """Rows of a step, or of each of the parts that it consists of: a power of two."""
    whole = next((size for most, size in _BATCH_SIZES if num_rows <= most), _LARGEST_BATCH)
    whole = max(_LEAST_BATCH, min(whole, num_rows // _LEAST_BATCHES))
    of_part = whole // num_parts if num_parts == 1 else max(_LEAST_BATCH_OF_TASK, whole // num_parts)
    return 1 << (of_part.bit_length() - 1)
