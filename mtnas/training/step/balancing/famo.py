"""FAMO: task weights that make all losses fall at one rate, learned from the losses before and after a step.

Legend: K pack, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.adam import SmallAdam
from mtnas.training.step.balancing.balancer import LateLossBalancer, PackShape, everyone
from mtnas.training_options import FamoBalancer

_TINY = 1e-8


class Famo(LateLossBalancer):
    """Weights ``T c z_t / L_t`` with ``z = softmax(xi)`` and ``c = 1 / sum_t z_t / L_t``.

    Liu, Feng, Stone and Liu, 2023, https://arxiv.org/abs/2306.03792, algorithm 2. The logits xi learn, by Adam, from
    ``log L(before) - log L(after)`` on the same rows, which costs a second forward pass. Losses must be positive. The
    factor T, ours, lets equal losses have weight 1.
    """

    _remembered = ("logits_KT", "_before_KT", "_momentum", "_variance", "_steps")

    def __init__(self, shape: PackShape, settings: FamoBalancer) -> None:
        self.logits_KT = torch.zeros_like(shape.ones())
        self._before_KT = shape.ones()
        self._adam = SmallAdam(self.logits_KT, lr=settings.lr, decay=settings.decay)
        self._momentum, self._variance, self._steps = self._adam.momentum, self._adam.variance, self._adam.steps

    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """The weights for these losses."""
        present_KT = everyone(losses_KT, present_KT)
        self._before_KT.copy_(losses_KT.detach() + _TINY)
        share_KT = self._shares(present_KT) / self._before_KT
        counted_K1 = present_KT.sum(dim=1, keepdim=True)
        return counted_K1 * share_KT / share_KT.sum(dim=1, keepdim=True).clamp(min=1e-30)

    def after(self, losses_KT: Tensor, present_KT: Tensor | None = None) -> None:
        """Learn from the same rows' losses after the step."""
        present_KT = everyone(losses_KT, present_KT)
        change_KT = torch.log(self._before_KT) - torch.log(losses_KT.detach() + _TINY)
        z_KT = self._shares(present_KT)
        gradient_KT = z_KT * (change_KT - (z_KT * change_KT).sum(dim=1, keepdim=True))
        several_K1 = present_KT.sum(dim=1, keepdim=True) > 1  # a lone task teaches nothing about shares
        self._adam.step(self.logits_KT, gradient_KT, present_KT & several_K1)

    def _shares(self, present_KT: Tensor) -> Tensor:
        """z among the tasks that are there; zero for the others."""
        return torch.softmax(self.logits_KT.masked_fill(~present_KT, -torch.inf), dim=1).nan_to_num(0.0)
