"""A moving average of a pack's weights, which is evaluated instead of them.

Legend: K pack, P elements of one candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from mtnas.training.step.flat import FlatParameters


class WeightAverage:
    """Exponential moving average over steps (Polyak and Juditsky, 1992; METHODS.md section 10).

    The decay grows to its value as (1 + t) / (10 + t), so that the random start is soon forgotten. Large tables stay
    out: a row is read so seldom that its average would lag behind for ever.

    Attributes:
        values: ``[K, P]``.
    """

    def __init__(self, flat: FlatParameters, decay: float) -> None:
        self._flat, self._decay = flat, decay
        self.values = flat.weights.clone()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after the step with this number, counted from 0."""
        decay = min(self._decay, (1.0 + step) / (10.0 + step))
        self.values.lerp_(self._flat.weights, 1.0 - decay)

    @contextmanager
    def held(self) -> Iterator[Tensor]:
        """Let the network hold the averages, and afterwards its weights again."""
        current = self._flat.weights.clone()
        with torch.no_grad():
            self._flat.weights.copy_(self.values)
        try:
            yield self.values
        finally:
            with torch.no_grad():
                self._flat.weights.copy_(current)
