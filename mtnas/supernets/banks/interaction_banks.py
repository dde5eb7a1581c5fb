"""Banks of blocks that multiply features with each other: cross network, mask block, factorisation machine; and
linear maps.

Legend: K pack, I instances, B batch, D input width, H hidden width or rank, W output width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.errors import SpaceError
from mtnas.routes import Block
from mtnas.supernets.banks.bank import Bank, picked
from mtnas.supernets.draws import Draws
from mtnas.supernets.initial import Initial


class LinearBank(Bank):
    """I products without bias."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        self.weight = _map(initial, [f"{site}/0" for site in sites], in_width, block.widths[0])

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """See ``Bank``."""
        return x @ picked(self.weight, chosen)


class PartBank(Bank):
    """I products, without bias, of one stretch of the input's units."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        columns = block.columns(in_width)
        self.begin, self.length = columns.start, len(columns)
        self.weight = _map(initial, [f"{site}/0" for site in sites], max(self.length, 1), block.widths[2])
        if not self.length:
            raise SpaceError(
                expected=f"an input of at least {block.widths[1]} units", found=str(in_width), where=sites[0]
            )

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """See ``Bank``."""
        return x.narrow(-1, self.begin, self.length) @ picked(self.weight, chosen)


class CrossBank(Bank):
    """I cross networks of low rank (DCN-v2; Wang et al., 2021, https://arxiv.org/abs/2008.13535)."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        self.downs, self.ups, self.biases = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for depth, rank in enumerate(block.widths):
            self.downs.append(_map(initial, [f"{site}/{depth}/down" for site in sites], in_width, rank))
            self.ups.append(_map(initial, [f"{site}/{depth}/up" for site in sites], rank, in_width))
            self.biases.append(initial.constant([f"{site}/{depth}" for site in sites], (in_width,), 0.0))

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """x <- x0 * (U V^T x + b) + x per layer."""
        first = x
        for down, up, bias in zip(self.downs, self.ups, self.biases, strict=True):
            product = x @ picked(down, chosen) @ picked(up, chosen) + picked(bias, chosen).unsqueeze(2)
            x = torch.addcmul(x, first, product)
        return x if noise is None else noise.dropout(x)


class MaskBank(Bank):
    """I mask blocks, each guided by its own input (MaskNet; Wang et al., 2021, https://arxiv.org/abs/2102.07619)."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        hidden, width = block.widths
        self.aggregation = _map(initial, [f"{site}/aggregation" for site in sites], in_width, hidden)
        self.projection = _map(initial, [f"{site}/projection" for site in sites], hidden, in_width)
        self.weight = _map(initial, [f"{site}/0" for site in sites], in_width, width)
        self.aggregation_bias = nn.Parameter(initial.constant(sites, (hidden,), 0.0))
        self.projection_bias = nn.Parameter(initial.constant(sites, (in_width,), 0.0))
        self.bias = nn.Parameter(initial.constant(sites, (width,), 0.0))
        self.norms = nn.ParameterList()
        for size in (in_width, width) if block.norm else ():
            self.norms.extend([initial.constant(sites, (size,), 1.0), initial.constant(sites, (size,), 0.0)])

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """relu(norm(W (mask * norm(x)))), mask = W2 relu(W1 x)."""

        def linear(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            return h @ picked(weight, chosen) + picked(bias, chosen).unsqueeze(2)

        hidden = F.relu(linear(x, self.aggregation, self.aggregation_bias))
        mask = linear(hidden, self.projection, self.projection_bias)
        masked = mask * self._normal(x, 0, chosen)
        x = F.relu(self._normal(linear(masked, self.weight, self.bias), 2, chosen))
        return x if noise is None else noise.dropout(x)

    def _normal(self, x: Tensor, at: int, chosen: Sequence[int] | None) -> Tensor:
        if not len(self.norms):
            return x
        scale, shift = (picked(self.norms[at + part], chosen).unsqueeze(2) for part in (0, 1))
        return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:]), scale)


class FactorisationBank(Bank):
    """I factorisation machines, one unit per factor (Rendle, 2010; He and Chua, 2017,
    https://arxiv.org/abs/1708.05027)."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        width = block.widths[0]
        self.weight = _map(initial, [f"{site}/linear" for site in sites], in_width, width)
        self.factors = _map(initial, [f"{site}/factors" for site in sites], in_width, width)
        self.bias = nn.Parameter(initial.constant(sites, (width,), 0.0))

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """b + x A + ((x V)^2 - x^2 V^2) / 2."""
        weight, factors, bias = (picked(p, chosen) for p in (self.weight, self.factors, self.bias))
        pairs = ((x @ factors).square() - x.square() @ factors.square()) / 2
        x = bias.unsqueeze(2) + x @ weight + pairs
        return x if noise is None else noise.dropout(x)


def _map(initial: Initial, sites: Sequence[str], fan_in: int, width: int) -> nn.Parameter:
    """Weights ``[K, I, fan_in, width]`` that keep the variance."""
    return nn.Parameter(initial.uniform(sites, (fan_in, width), sqrt(3 / fan_in)))
