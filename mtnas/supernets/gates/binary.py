"""Binary values: every connection open or closed by itself, for every row or step (MT-RMN; Xu et al., AAAI 2021,
https://doi.org/10.1609/aaai.v35i12.17256: policy networks with differentiable routers make binary decisions about the
connections at every time step).

The estimator is the binary Gumbel-softmax, straight through (Maddison et al., 2017, https://arxiv.org/abs/1611.00712;
Jang et al., 2017, https://arxiv.org/abs/1611.01144). The expected number of open connections, which lets a gate close
what does not pay, is ours.

Legend: K pack, G route groups, J junctions, N sources, B batch.
"""

from __future__ import annotations

from torch import Tensor

from mtnas.supernets.gates.gate import Gated, Mixing, straight_through
from mtnas.supernets.gates.logits import LogitGate


class BinaryGate(LogitGate):
    """1 where a logit, with logistic noise in training, is above 0, else 0; connections are mostly open at the start.

    The gradient is that of sigmoid(noisy logit / ``binary_temperature``). The penalty ``binary_open`` is the expected
    number of open connections, a mean over the rows.
    """

    START = 2.0

    def forward(self, mixing: Mixing) -> Gated:
        """Zeros and ones times the edges."""
        logits = self.logits(mixing)
        noisy = logits
        if mixing.draws is not None:
            u = mixing.draws.uniform_rows(logits.shape[1:3], mixing.num_rows)
            noisy = logits + (u.log() - (-u).log1p()).to(logits.dtype)
        soft = (noisy / mixing.selection.setting("binary_temperature", 3)).sigmoid()
        values = straight_through((noisy.detach() > 0).to(soft.dtype), soft) * mixing.edges
        return Gated(values=values, penalties={"binary_open": _open(logits.sigmoid() * mixing.edges, mixing)})


def _open(chances_KJNB: Tensor, mixing: Mixing) -> Tensor:
    """Expected number of open connections ``[K, G, J]``, a mean over the rows of every route group."""
    open_KJB, num_groups = chances_KJNB.sum(2), mixing.group_edges.shape[1]
    if open_KJB.shape[2] == 1:
        return open_KJB.transpose(1, 2).expand(-1, num_groups, -1)
    return open_KJB.reshape(*open_KJB.shape[:2], num_groups, -1).mean(-1).transpose(1, 2)
