"""Uncertainty weighting: every task's noise is learned beside the network.

Legend: K pack, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.tasks import TaskKind
from mtnas.training.step.balancing.adam import SmallAdam
from mtnas.training.step.balancing.balancer import LossBalancer, PackShape, everyone
from mtnas.training_options import UncertaintyBalancer


class Uncertainty(LossBalancer):
    """Minimises ``sum_t c_t exp(-s_t) L_t + s_t / 2`` over log-variances s as well.

    Kendall, Gal and Cipolla, 2018, https://arxiv.org/abs/1705.07115, eq. 7 and 10: c = 1/2 for squared errors
    (regressions), 1 for cross-entropies. s starts at 0 and has an Adam of its own; its gradient is in closed form, so
    nothing is added to the network's graph.
    """

    _remembered = ("log_variances_KT", "_momentum", "_variance", "_steps")

    def __init__(self, shape: PackShape, settings: UncertaintyBalancer) -> None:
        factors = [0.5 if task.kind is TaskKind.REGRESSION else 1.0 for task in shape.tasks]
        self._factors_T = torch.tensor(factors, device=shape.device, dtype=shape.dtype)
        self.log_variances_KT = torch.zeros_like(shape.ones())
        self._adam = SmallAdam(self.log_variances_KT, lr=settings.lr)
        self._momentum, self._variance, self._steps = self._adam.momentum, self._adam.variance, self._adam.steps

    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """``c exp(-s)`` at the current s, which then takes its own step."""
        weights_KT = self._factors_T * torch.exp(-self.log_variances_KT)
        present_KT = everyone(losses_KT, present_KT)
        self._adam.step(self.log_variances_KT, 0.5 - weights_KT * losses_KT.detach(), present_KT)
        return weights_KT
