"""Attention over the sources by their own contents (AITM; Xi et al., KDD 2021, https://arxiv.org/abs/2105.08489).

The paper's third map, of the values, is linear and follows the sum: a slot with a ``linear`` block.

Legend: K pack, J junctions, R source lists, N sources, B batch, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from mtnas.supernets.gates.gate import Gate, Gated, Mixing
from mtnas.supernets.gates.softmax_values import softmax_over
from mtnas.supernets.initial import Initial


class AttentionGate(Gate):
    """Weight of source u: softmax over the active sources of <H1 u, H2 u> / sqrt(W)."""

    def __init__(self, names: Sequence[str], width: int, initial: Initial) -> None:
        super().__init__()
        bound = 1 / sqrt(width)
        self.keys = nn.Parameter(initial.uniform([f"{n}/key" for n in names], (width, width), bound))
        self.asks = nn.Parameter(initial.uniform([f"{n}/ask" for n in names], (width, width), bound))

    def forward(self, mixing: Mixing) -> Gated:
        """``[K, J, N, B]``."""
        logits = self._logits(mixing.sources)
        if mixing.stopped is not None and mixing.stopped_sources is not None:
            logits = torch.where(mixing.stopped > 0, self._logits(mixing.stopped_sources), logits)
        return Gated(values=softmax_over(logits, mixing.edges))

    def per_source(self, name: str) -> bool:
        """See ``Gate``: all sources go through the same maps."""
        return False

    def _logits(self, sources_KRNBW: Tensor) -> Tensor:
        J, W = self.keys.shape[1], self.keys.shape[-1]
        sources = sources_KRNBW.repeat_interleave(J // sources_KRNBW.shape[1], 1)
        keys, asks = (sources @ weight.unsqueeze(2) for weight in (self.keys, self.asks))
        return (keys * asks).sum(-1) / sqrt(W)
