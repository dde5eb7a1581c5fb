"""GradNorm: learned weights that keep the tasks' gradient norms together.

Legend: K pack, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.adam import SmallAdam
from mtnas.training.step.balancing.balancer import GramBalancer, PackShape, everyone
from mtnas.training_options import GradNormBalancer

_TINY = 1e-12


class GradNorm(GramBalancer):
    """Weights w with ``w_t |g_t|`` near ``mean_i(w_i |g_i|) r_t^alpha``, r being relative inverse training rates.

    Chen, Badrinarayanan, Lee and Rabinovich, 2018, https://arxiv.org/abs/1711.02257, algorithm 1. Norms are those of
    all shared parameters, where the paper takes the last shared layer, so that any route has them. The target is a
    constant; w takes an Adam step on the absolute differences, stays positive and sums to T. Means are of the tasks
    that a batch has labels of, and a task's first loss is that of the first batch that has any.
    """

    _remembered = ("weights_KT", "_first_KT", "_momentum", "_variance", "_steps")

    def __init__(self, shape: PackShape, settings: GradNormBalancer) -> None:
        self._alpha = settings.alpha
        self.weights_KT = shape.ones()
        self._first_KT = torch.zeros_like(shape.ones())  # unknown
        self._adam = SmallAdam(self.weights_KT, lr=settings.lr)
        self._momentum, self._variance, self._steps = self._adam.momentum, self._adam.variance, self._adam.steps

    def weights(self, gram_KTT: Tensor, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """The current weights, which then take their own step."""
        present_KT = everyone(losses_KT, present_KT)
        counted_K1 = present_KT.sum(dim=1, keepdim=True).clamp(min=1)
        unknown_KT = present_KT & (self._first_KT == 0)
        self._first_KT.copy_(torch.where(unknown_KT, losses_KT.detach(), self._first_KT))
        weights_KT = self.weights_KT.clone()
        norms_KT = gram_KTT.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt().to(weights_KT.dtype)
        progress_KT = losses_KT.detach() / self._first_KT.clamp(min=_TINY) * present_KT
        rate_KT = progress_KT / (progress_KT.sum(dim=1, keepdim=True) / counted_K1).clamp(min=_TINY)
        mean_K1 = (weights_KT * norms_KT * present_KT).sum(dim=1, keepdim=True) / counted_K1
        pull_KT = torch.sign(weights_KT * norms_KT - mean_K1 * rate_KT**self._alpha) * norms_KT
        self._adam.step(self.weights_KT, pull_KT, present_KT)
        self.weights_KT.clamp_(min=1e-3)
        absent_K1 = (self.weights_KT * ~present_KT).sum(dim=1, keepdim=True)
        shared_K1 = (self.weights_KT * present_KT).sum(dim=1, keepdim=True).clamp(min=_TINY)
        factor_K1 = (self.weights_KT.shape[1] - absent_K1) / shared_K1
        self.weights_KT.mul_(torch.where(present_KT, factor_K1, 1.0))
        return weights_KT
