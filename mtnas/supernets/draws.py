"""Where a forward pass takes its random numbers from: an argument, never a generator of the module's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Draws(Protocol):
    """Random numbers of one training step (``mtnas.training.step.noise``); common to the candidates of one seed."""

    def dropout(self, x: Tensor) -> Tensor:
        """Drop units of ``x`` [K, ...] at each candidate's own rate."""
        ...

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers in the open interval (0, 1), ``[1 or K, *shape]``."""
        ...

    def uniform_rows(self, shape: Sequence[int], num_rows: int) -> Tensor:
        """Numbers of every row of the batch, ``[1 or K, *shape, num_rows]``."""
        ...
