"""Blocks the plainest way: one module per sub-network, written from the equations, with its products counted."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn

from mtnas.routes import Block, BlockKind


class PlainBlock(nn.Module):
    """A sub-network; ``macs`` are its multiply-accumulates per row."""

    macs = 0
    out_width = 0


class PlainMlp(PlainBlock):
    """Per width: linear, layer normalisation if wanted, ReLU."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        self.linears, self.norms = nn.ModuleList(), nn.ModuleList()
        for out in block.widths:
            self.linears.append(nn.Linear(width, out))
            self.norms.append(nn.LayerNorm(out) if block.norm else nn.Identity())
            self.macs += width * out
            width = out
        self.out_width = width

    def forward(self, x: Tensor) -> Tensor:
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = norm(linear(x)).relu()
        return x


class PlainIdentity(PlainBlock):
    """Its input."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        self.out_width = width

    def forward(self, x: Tensor) -> Tensor:
        return x


class PlainLinear(PlainBlock):
    """A product without bias."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        self.out_width = block.widths[0]
        self.linear = nn.Linear(width, self.out_width, bias=False)
        self.macs = width * self.out_width

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class PlainPart(PlainBlock):
    """A product of some neighbouring units."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        number, count, self.out_width = block.widths
        self.begin, self.end = width * (number - 1) // count, width * number // count
        self.linear = nn.Linear(self.end - self.begin, self.out_width, bias=False)
        self.macs = (self.end - self.begin) * self.out_width

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x[..., self.begin : self.end])


class PlainCross(PlainBlock):
    """DCN-v2, eq. 5: x_{l+1} = x_0 * (U V^T x_l + b) + x_l."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        self.downs = nn.ModuleList(nn.Linear(width, rank, bias=False) for rank in block.widths)
        self.ups = nn.ModuleList(nn.Linear(rank, width) for rank in block.widths)
        self.macs = sum(2 * width * rank + width for rank in block.widths)
        self.out_width = width

    def forward(self, x: Tensor) -> Tensor:
        first = x
        for down, up in zip(self.downs, self.ups, strict=True):
            x = first * up(down(x)) + x
        return x


class PlainMask(PlainBlock):
    """MaskNet, eq. 4-6: relu(LN(W (W2 relu(W1 x) * LN(x))))."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        hidden, out = block.widths
        self.aggregation, self.projection = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.linear, self.out_width = nn.Linear(width, out), out
        self.norm_in = nn.LayerNorm(width) if block.norm else nn.Identity()
        self.norm_out = nn.LayerNorm(out) if block.norm else nn.Identity()
        self.macs = width * hidden + hidden * width + width + width * out

    def forward(self, x: Tensor) -> Tensor:
        mask = self.projection(self.aggregation(x).relu())
        return self.norm_out(self.linear(mask * self.norm_in(x))).relu()


class PlainFactorisation(PlainBlock):
    """Rendle, eq. 1, one unit per factor: b_f + <a_f, x> + sum over pairs i < j of v_if x_i v_jf x_j."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        self.out_width = block.widths[0]
        self.linear = nn.Linear(width, self.out_width)
        self.factors = nn.Linear(width, self.out_width, bias=False)
        self.macs = 3 * width * self.out_width

    def forward(self, x: Tensor) -> Tensor:
        scaled = x.unsqueeze(1) * self.factors.weight
        pairs = [scaled[..., i] * scaled[..., j] for i, j in combinations(range(x.shape[1]), 2)]
        return self.linear(x) + torch.stack(pairs).sum(0)


class PlainRecurrent(PlainBlock):
    """r, z = sigmoid(W x + b + U h + c); n = tanh(W x + b + r (U h + c)); h <- (1 - z) n + z h, step by step."""

    def __init__(self, width: int, block: Block) -> None:
        super().__init__()
        self.channels, self.steps, self.units = block.widths
        self.last = block.kind is BlockKind.GRU_LAST
        self.read, self.state = nn.Linear(self.channels, 3 * self.units), nn.Linear(self.units, 3 * self.units)
        self.out_width = self.units if self.last else self.units * self.steps
        self.macs = 3 * self.units * (self.channels + self.units) * self.steps

    def forward(self, x: Tensor) -> Tensor:
        h, states, u = x.new_zeros(len(x), self.units), [], self.units
        for step in range(self.steps):
            now = torch.stack([x[:, channel * self.steps + step] for channel in range(self.channels)], dim=1)
            a, b = self.read(now), self.state(h)
            r, z = (a[:, :u] + b[:, :u]).sigmoid(), (a[:, u : 2 * u] + b[:, u : 2 * u]).sigmoid()
            n = (a[:, 2 * u :] + r * b[:, 2 * u :]).tanh()
            h = (1 - z) * n + z * h
            states.append(h)
        if self.last:
            return h
        return torch.stack([state[:, unit] for unit in range(u) for state in states], dim=1)


def plain_block(block: Block, width: int) -> PlainBlock:
    """The module of a block for an input width."""
    match block.kind:
        case BlockKind.MLP:
            return PlainMlp(width, block)
        case BlockKind.IDENTITY:
            return PlainIdentity(width, block)
        case BlockKind.LINEAR:
            return PlainLinear(width, block)
        case BlockKind.PART:
            return PlainPart(width, block)
        case BlockKind.CROSS:
            return PlainCross(width, block)
        case BlockKind.MASK:
            return PlainMask(width, block)
        case BlockKind.FACTORISATION_MACHINE:
            return PlainFactorisation(width, block)
        case BlockKind.GRU | BlockKind.GRU_LAST:
            return PlainRecurrent(width, block)
        case _:
            raise AssertionError(block.kind)
