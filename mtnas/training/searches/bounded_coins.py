"""Coins of which a bounded number comes up: a distribution over sets that are neither too small nor too large.

Independent coins, given that between ``least`` and ``most`` of them come up: the probability of a set is proportional
to the product of its members' odds (conditional Bernoulli; Chen and Liu, 1997, Statistica Sinica 7, 875-892). Sums
over all legal sets take N * most steps.

Legend: K pack, G route groups, J junctions, N coins, C numbers of coins that are up (0 to most, and one too many).
"""

from __future__ import annotations

import torch
from torch import Tensor

_IMPOSSIBLE = -1e30  # finite, since the gradient of logaddexp is NaN where both sides are infinite


class BoundedCoins:
    """The distributions that logits ``[K, J, N]`` give.

    Args:
        logits: log-odds of the coins.
        least: fewest coins that come up.
        most: most coins that come up, at least ``least``.
    """

    def __init__(self, logits: Tensor, *, least: int, most: int) -> None:
        self.logits_KJN = logits
        numbers = torch.arange(most + 2, device=logits.device)
        legal_C = torch.where((numbers >= least) & (numbers <= most), 0.0, _IMPOSSIBLE).to(logits.dtype)
        # The sum over what the coins from n on may do, per number of coins before them that are up, as a logarithm.
        self._rest = [legal_C.expand(*logits.shape[:2], -1)]
        for logit_KJ in reversed(logits.unbind(2)):
            after = self._rest[0]
            up = logit_KJ.unsqueeze(2) + torch.cat((after[..., 1:], after[..., -1:]), dim=2)
            self._rest.insert(0, torch.logaddexp(up, after))

    def draw(self, uniform_KGJN: Tensor) -> Tensor:
        """Which coins are up, bool ``[K, G, J, N]``, from uniform draws ``[1 or K, G, J, N]``."""
        K, J, N = self.logits_KJN.shape
        num_groups = uniform_KGJN.shape[1]
        number = torch.zeros((K, num_groups, J, 1), dtype=torch.int64, device=self.logits_KJN.device)
        up = []
        for n in range(N):
            chances = self._chance(n).detach().unsqueeze(1).expand(-1, num_groups, -1, -1)
            up.append(uniform_KGJN[..., n] < chances.gather(3, number).squeeze(3))
            number = number + up[-1].unsqueeze(3)
        return torch.stack(up, dim=3) if up else number.bool()[..., :0]

    def log_prob(self, up_KGJN: Tensor) -> Tensor:
        """Logarithms ``[K, G, J]`` of the probabilities of legal sets."""
        return (self.logits_KJN.unsqueeze(1) * up_KGJN).sum(3) - self._rest[0][..., 0].unsqueeze(1)

    def chances(self) -> tuple[Tensor, Tensor]:
        """Of every coin ``[K, J, N]``, and of every number of coins up ``[K, J, C]``."""
        number_KJC = torch.zeros_like(self._rest[0])
        number_KJC[..., 0] = 1
        of_coin = []
        for n in range(self.logits_KJN.shape[2]):
            up_KJC = number_KJC * self._chance(n)
            of_coin.append(up_KJC.sum(2))
            number_KJC = number_KJC - up_KJC + torch.cat((torch.zeros_like(up_KJC[..., :1]), up_KJC[..., :-1]), dim=2)
        return (torch.stack(of_coin, dim=2) if of_coin else self.logits_KJN), number_KJC

    def entropy(self) -> Tensor:
        """``[K, J]`` in nats."""
        return self._rest[0][..., 0] - (self.logits_KJN * self.chances()[0]).sum(2)

    def _chance(self, n: int) -> Tensor:
        """Of coin n ``[K, J, C]``, per number of coins before it that are up."""
        after = self._rest[n + 1]
        up = self.logits_KJN[..., n].unsqueeze(2) + torch.cat((after[..., 1:], after[..., -1:]), dim=2)
        return (up - self._rest[n]).exp()
