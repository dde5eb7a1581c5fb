"""Equal and static weights: no method at all, and the one that is hardest to beat when tuned."""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.balancer import LossBalancer, PackShape
from mtnas.training_options import StaticBalancer


class Equal(LossBalancer):
    """Every task counts as ``Task.weight`` says."""

    def __init__(self, shape: PackShape) -> None:
        self._ones = shape.ones()

    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """Ones ``[K, T]``."""
        return self._ones


class Static(LossBalancer):
    """A fixed factor per task, by its name."""

    def __init__(self, shape: PackShape, settings: StaticBalancer) -> None:
        factors = [settings.weights.get(task.name, 1.0) for task in shape.tasks]
        self._weights_KT = shape.ones() * torch.tensor(factors, device=shape.device, dtype=shape.dtype)

    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """The factors ``[K, T]``."""
        return self._weights_KT
