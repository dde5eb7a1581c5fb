"""Dynamic weight average: tasks whose loss falls slowly weigh more.

Legend: K pack, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.balancer import LossBalancer, PackShape, everyone
from mtnas.training_options import DynamicAverageBalancer


class DynamicAverage(LossBalancer):
    """``T softmax_t(r_t / temperature)``, where r is the ratio of a task's mean losses in the last two windows.

    Liu, Johns and Davison, 2019, https://arxiv.org/abs/1803.10704, eq. 7; their window is an epoch. Weights are 1
    until two windows have passed, and the ratio of a task without a label in one of them is 1.
    """

    _remembered = ("_sum_KT", "_count_KT", "_last_KT", "_weights_KT")

    def __init__(self, shape: PackShape, settings: DynamicAverageBalancer) -> None:
        self._window = settings.window or shape.steps_per_epoch
        self._temperature = settings.temperature
        self._weights_KT = shape.ones()
        self._sum_KT, self._count_KT = torch.zeros_like(self._weights_KT), torch.zeros_like(self._weights_KT)
        self._last_KT = torch.full_like(self._weights_KT, torch.nan)  # unknown

    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """The weights of the window that ``step`` lies in."""
        windows, place = divmod(step, self._window)
        if place == 0 and windows:
            mean_KT = self._sum_KT / self._count_KT  # 0/0: unknown
            if windows > 1:
                ratio_KT = (mean_KT / self._last_KT.clamp(min=1e-12)).nan_to_num(1.0)
                self._weights_KT.copy_(ratio_KT.shape[1] * torch.softmax(ratio_KT / self._temperature, dim=1))
            self._last_KT.copy_(torch.where(mean_KT.isnan(), self._last_KT, mean_KT))
            self._sum_KT.zero_()
            self._count_KT.zero_()
        present_KT = everyone(losses_KT, present_KT)
        self._sum_KT += torch.where(present_KT, losses_KT.detach(), 0.0)
        self._count_KT += present_KT
        return self._weights_KT.clone()
