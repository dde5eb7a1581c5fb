"""Adam for a balancer's own few numbers, per candidate and without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor


class SmallAdam:
    """Adam (Kingma and Ba, 2015, algorithm 1) on one tensor, with a decay added to the gradient (L2) if wanted.

    Attributes:
        momentum, variance: of the values' shape.
        steps: steps taken, ``[K, 1]``.
    """

    def __init__(self, like: Tensor, *, lr: float, decay: float = 0.0) -> None:
        self.momentum, self.variance = torch.zeros_like(like), torch.zeros_like(like)
        self.steps = torch.zeros((len(like), 1), device=like.device, dtype=torch.float64)
        self._lr, self._decay = lr, decay

    def step(self, values: Tensor, gradient: Tensor) -> None:
        """Move ``values`` in place."""
        gradient = gradient + self._decay * values
        self.steps += 1
        self.momentum.lerp_(gradient, 0.1)
        self.variance.lerp_(gradient.square(), 0.001)
        momentum = self.momentum / (1 - 0.9**self.steps).to(values.dtype)
        variance = self.variance / (1 - 0.999**self.steps).to(values.dtype)
        values -= self._lr * momentum / (variance.sqrt() + 1e-8)
