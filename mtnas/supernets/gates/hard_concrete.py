"""Hard concrete values: connections that training closes exactly (SNR; Ma et al., AAAI 2019, after
Louizos et al., ICLR 2018, https://arxiv.org/abs/1712.01312, eq. 10-12).

The bracket that SNR misprints stands where Louizos et al. have it (METHODS.md section 2).

Legend: K pack, G route groups, J junctions, N sources.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtnas.supernets.gates.gate import Gate, Gated, Mixing, over_rows
from mtnas.supernets.initial import Initial


class HardConcreteGate(Gate):
    """One log alpha per connection, 0 at the start, which leaves 90 % of the connections open.

    Training samples one value per step and route group; evaluation takes the deterministic value. The expected number
    of open connections among a route's edges is the penalty ``l0``.
    """

    def __init__(self, names: Sequence[str], num_sources: int, initial: Initial) -> None:
        super().__init__()
        self.log_alpha = nn.Parameter(initial.constant(names, (num_sources,), 0.0))

    def forward(self, mixing: Mixing) -> Gated:
        """min(1, max(0, s (zeta - gamma) + gamma)), s = sigmoid((log u - log(1 - u) + log alpha) / beta)."""
        beta, low, high = (mixing.selection.setting(n, 3) for n in ("temperature", "stretch_low", "stretch_high"))
        log_alpha_KGJN = self.log_alpha.unsqueeze(1)
        if mixing.draws is None:
            s = log_alpha_KGJN.sigmoid()
        else:
            u = mixing.draws.uniform(mixing.group_edges.shape[1:]).to(log_alpha_KGJN.dtype)
            s = ((u.log() - torch.log1p(-u) + log_alpha_KGJN) / beta).sigmoid()
        z_KGJN = (s * (high - low) + low).clamp(0, 1)
        values = over_rows(z_KGJN * mixing.group_edges, mixing.num_rows)
        return Gated(values=values, penalties={"l0": (self._open(mixing) * mixing.group_edges).sum(-1)})

    def _open(self, mixing: Mixing) -> Tensor:
        """P(z > 0), ``[K, 1, J, N]``: sigmoid(log alpha - beta log(-gamma / zeta))."""
        beta, low, high = (mixing.selection.setting(n, 3) for n in ("temperature", "stretch_low", "stretch_high"))
        ratio = torch.as_tensor(-low / high, dtype=self.log_alpha.dtype, device=self.log_alpha.device)
        return (self.log_alpha.unsqueeze(1) - beta * ratio.log()).sigmoid()
