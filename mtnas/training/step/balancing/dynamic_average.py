"""Dynamic weight average: tasks whose loss falls slowly weigh more.

Legend: K pack, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.balancer import LossBalancer, PackShape
from mtnas.training_options import DynamicAverageBalancer


class DynamicAverage(LossBalancer):
    """``T softmax_t(r_t / temperature)``, where r is the ratio of a task's mean losses in the last two windows.

    Liu, Johns and Davison, 2019, https://arxiv.org/abs/1803.10704, eq. 7; their window is an epoch. Weights are 1
    until two windows have passed.
    """

    _remembered = ("_sum_KT", "_last_KT", "_weights_KT")

    def __init__(self, shape: PackShape, settings: DynamicAverageBalancer) -> None:
        self._window = settings.window or shape.steps_per_epoch
        self._temperature = settings.temperature
        self._weights_KT = shape.ones()
        self._sum_KT, self._last_KT = torch.zeros_like(self._weights_KT), torch.zeros_like(self._weights_KT)

    def weights(self, losses_KT: Tensor, step: int) -> Tensor:
        """The weights of the window that ``step`` lies in."""
        windows, place = divmod(step, self._window)
        if place == 0 and windows:
            mean_KT = self._sum_KT / self._window
            if windows > 1:
                ratio_KT = mean_KT / self._last_KT.clamp(min=1e-12)
                self._weights_KT.copy_(ratio_KT.shape[1] * torch.softmax(ratio_KT / self._temperature, dim=1))
            self._last_KT.copy_(mean_KT)
            self._sum_KT.zero_()
        self._sum_KT += losses_KT.detach()
        return self._weights_KT.clone()
