"""Banks of equal blocks: the weights of many sub-networks of one kind and shape, applied as batched products.

Legend: K pack, I instances, B batch, D input width, W output width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Block, BlockKind
from mtnas.supernets.initial import Initial


class DropoutNoise(Protocol):
    """Where dropout takes its noise from (``mtnas.training.noise``)."""

    def dropout(self, x: Tensor) -> Tensor:
        """Drop units of ``x`` [K, ...] at each candidate's own rate."""
        ...


class MlpBank(nn.Module):
    """I perceptrons of equal widths: per layer linear, layer normalisation if wanted, ReLU, dropout."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        self.norm = block.norm
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        self.norm_scales, self.norm_shifts = nn.ParameterList(), nn.ParameterList()
        for depth, (fan_in, width) in enumerate(zip((in_width, *block.widths), block.widths, strict=False)):
            names = [f"{site}/{depth}" for site in sites]
            self.weights.append(initial.uniform(names, (fan_in, width), sqrt(6 / fan_in)))
            self.biases.append(initial.constant(names, (width,), 0.0))
            if block.norm:
                self.norm_scales.append(initial.constant(names, (width,), 1.0))
                self.norm_shifts.append(initial.constant(names, (width,), 0.0))

    def forward(self, x: Tensor, noise: DropoutNoise | None) -> Tensor:
        """``x`` [K, I, B, D], or [K, 1, B, D] read by all; gives [K, I, B, W]."""
        for depth, weight in enumerate(self.weights):
            if x.shape[1] == 1 and weight.shape[1] > 1:
                x = self._shared(x, depth, weight)
            else:
                x = self._activate(x @ weight, depth, across=2)
            if noise is not None:
                x = noise.dropout(x)
        return x

    def _shared(self, x: Tensor, depth: int, weight: Tensor) -> Tensor:
        """One wide product for all instances that read the same vector, instead of I narrow ones."""
        K, num_instances, D, W = weight.shape
        wide = x[:, 0] @ weight.transpose(1, 2).reshape(K, D, num_instances * W)
        return self._activate(wide.view(K, -1, num_instances, W), depth, across=1).transpose(1, 2)

    def _activate(self, x: Tensor, depth: int, *, across: int) -> Tensor:
        """Bias, normalisation and ReLU; parameters [K, I, W] are broadcast over the batch axis ``across``."""
        if not self.norm:
            return F.relu(x + self.biases[depth].unsqueeze(across))
        normal = F.layer_norm(x + self.biases[depth].unsqueeze(across), x.shape[-1:])
        scaled = torch.addcmul(
            self.norm_shifts[depth].unsqueeze(across), normal, self.norm_scales[depth].unsqueeze(across)
        )
        return F.relu(scaled)


class IdentityBank(nn.Module):
    """I identities: the output is the input."""

    def forward(self, x: Tensor, noise: DropoutNoise | None) -> Tensor:
        """``x`` [K, I or 1, B, D] as it is."""
        return x


def make_bank(sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> nn.Module:
    """The bank of a block kind; ``sites`` name the instances for their initial weights."""
    match block.kind:
        case BlockKind.MLP:
            return MlpBank(sites, block, in_width, initial)
        case BlockKind.IDENTITY:
            return IdentityBank()
