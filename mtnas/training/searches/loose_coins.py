"""Coins of which any number may come up, or any but none: what ``bounded_coins`` gives there, in closed form.

A dozen operations, however many coins there are, where sums over all legal sets take several for each.

Legend: K pack, G route groups, J junctions, N coins.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALLEST = 1e-30  # stands in for the chance that any coin comes up, where float32 has none


class LooseCoins:
    """The distributions that logits ``[K, J, N]`` give.

    Args:
        logits: log-odds of the coins.
        least: fewest coins that come up, 0 or 1; there are at least as many.
    """

    def __init__(self, logits: Tensor, *, least: int) -> None:
        self.logits_KJN, self._some = logits, least == 1
        nobody_KJ = F.softplus(logits).sum(2)  # minus the logarithm of the chance that free coins all lie
        self._anybody_KJ = _none_is_not(nobody_KJ)
        self._total_KJ = nobody_KJ + self._anybody_KJ.log() if self._some else nobody_KJ

    def draw(self, uniform_KGJN: Tensor) -> Tensor:
        """Which coins are up, bool ``[K, G, J, N]``, from uniform draws ``[1 or K, G, J, N]``.

        As long as none is up a coin is pressed: its chance is that of coming up given that one of those left must.
        """
        logits = self.logits_KJN.detach().unsqueeze(1)
        chance, free = logits.sigmoid(), uniform_KGJN < logits.sigmoid()
        if not self._some:
            return free
        left = F.softplus(logits).flip(3).cumsum(3).flip(3)
        pressed = uniform_KGJN < chance / _none_is_not(left)
        pressed[..., -1] = True
        before = pressed.cumsum(3) - pressed.long()
        return torch.where(before > 0, free, pressed)

    def log_prob(self, up_KGJN: Tensor) -> Tensor:
        """Logarithms ``[K, G, J]`` of the probabilities of legal sets."""
        return (self.logits_KJN.unsqueeze(1) * up_KGJN).sum(3) - self._total_KJ.unsqueeze(1)

    def chances(self) -> tuple[Tensor, Tensor]:
        """Of every coin ``[K, J, N]``, and of none and of one being up ``[K, J, 2]``."""
        one_KJ = (self.logits_KJN.logsumexp(2) - self._total_KJ).exp()
        none_KJ = torch.zeros_like(one_KJ) if self._some else (-self._total_KJ).exp()
        return self._of_coin(), torch.stack((none_KJ, one_KJ), dim=2)

    def entropy(self) -> Tensor:
        """``[K, J]`` in nats."""
        return self._total_KJ - (self.logits_KJN * self._of_coin()).sum(2)

    def _of_coin(self) -> Tensor:
        free_KJN = self.logits_KJN.sigmoid()
        return free_KJN / self._anybody_KJ.unsqueeze(2) if self._some else free_KJN


def _none_is_not(nobody: Tensor) -> Tensor:
    """The chance that any coin comes up, from minus the logarithm of the chance that none does."""
    return -torch.expm1(-nobody.clamp(min=_SMALLEST))
