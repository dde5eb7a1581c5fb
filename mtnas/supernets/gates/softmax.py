"""Softmax over the active sources, with logits that a query gives (MMoE; Ma et al., KDD 2018, eq. 6)."""

from __future__ import annotations

from mtnas.supernets.gates.gate import Gated, Mixing
from mtnas.supernets.gates.logits import LogitGate
from mtnas.supernets.gates.softmax_values import softmax_over


class SoftmaxGate(LogitGate):
    """Values that sum to 1."""

    def forward(self, mixing: Mixing) -> Gated:
        """e^logit * edge / sum(e^logit * edge), for relaxed edges as well; zeros where no source is active."""
        return Gated(values=softmax_over(self.logits(mixing), mixing.edges))
