"""GradNorm: learned weights that keep the tasks' gradient norms together.

Legend: K pack, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.adam import SmallAdam
from mtnas.training.step.balancing.balancer import GramBalancer, PackShape
from mtnas.training_options import GradNormBalancer

_TINY = 1e-12


class GradNorm(GramBalancer):
    """Weights w with ``w_t |g_t|`` near ``mean_i(w_i |g_i|) r_t^alpha``, r being relative inverse training rates.

    Chen, Badrinarayanan, Lee and Rabinovich, 2018, https://arxiv.org/abs/1711.02257, algorithm 1. Norms are those of
    all shared parameters, where the paper takes the last shared layer, so that any route has them. The target is a
    constant; w takes an Adam step on the absolute differences, stays positive and sums to T.
    """

    _remembered = ("weights_KT", "_first_KT", "_momentum", "_variance", "_steps")

    def __init__(self, shape: PackShape, settings: GradNormBalancer) -> None:
        self._alpha = settings.alpha
        self.weights_KT = shape.ones()
        self._first_KT = shape.ones()
        self._adam = SmallAdam(self.weights_KT, lr=settings.lr)
        self._momentum, self._variance, self._steps = self._adam.momentum, self._adam.variance, self._adam.steps

    def weights(self, gram_KTT: Tensor, losses_KT: Tensor, step: int) -> Tensor:
        """The current weights, which then take their own step."""
        if step == 0:
            self._first_KT.copy_(losses_KT.detach())
        weights_KT = self.weights_KT.clone()
        norms_KT = gram_KTT.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt().to(weights_KT.dtype)
        progress_KT = losses_KT.detach() / self._first_KT.clamp(min=_TINY)
        rate_KT = progress_KT / progress_KT.mean(dim=1, keepdim=True).clamp(min=_TINY)
        target_KT = (weights_KT * norms_KT).mean(dim=1, keepdim=True) * rate_KT**self._alpha
        self._adam.step(self.weights_KT, torch.sign(weights_KT * norms_KT - target_KT) * norms_KT)
        self.weights_KT.clamp_(min=1e-3)
        self.weights_KT.mul_(self.weights_KT.shape[1] / self.weights_KT.sum(dim=1, keepdim=True))
        return weights_KT
