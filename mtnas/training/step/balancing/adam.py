"""Adam for a balancer's own few numbers, per candidate and without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor


class SmallAdam:
    """Adam (Kingma and Ba, 2015, algorithm 1) on one tensor, with a decay added to the gradient (L2) if wanted.

    Attributes:
        momentum, variance: of the values' shape.
        steps: steps taken by every number.
    """

    def __init__(self, like: Tensor, *, lr: float, decay: float = 0.0) -> None:
        self.momentum, self.variance = torch.zeros_like(like), torch.zeros_like(like)
        self.steps = torch.zeros_like(like, dtype=torch.float64)
        self._lr, self._decay = lr, decay

    def step(self, values: Tensor, gradient: Tensor, moving: Tensor) -> None:
        """Move ``values`` in place, those that are ``moving`` (bool); the others stay, with their state."""
        gradient = gradient + self._decay * values
        self.steps += moving
        self.momentum.copy_(torch.where(moving, self.momentum.lerp(gradient, 0.1), self.momentum))
        self.variance.copy_(torch.where(moving, self.variance.lerp(gradient.square(), 0.001), self.variance))
        taken = self.steps.clamp(min=1)  # what has never moved is no division by zero
        momentum = self.momentum / (1 - 0.9**taken).to(values.dtype)
        variance = self.variance / (1 - 0.999**taken).to(values.dtype)
        values -= torch.where(moving, self._lr * momentum / (variance.sqrt() + 1e-8), 0.0)
