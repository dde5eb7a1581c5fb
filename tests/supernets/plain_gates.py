"""Gates the plainest way: one module per junction that gives a weight per active source and row."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor, nn

from mtnas.routes import GateKind, Junction, Mix
from mtnas.routes.nodes import code_length


class PlainGate(nn.Module):
    """Weights ``[B, N]`` of the active sources from these and the query; ``macs`` per row."""

    macs = 0


class PlainSoftmax(PlainGate):
    """softmax(W q + b), or softmax(b) where the query is static (width None)."""

    def __init__(self, sources: int, query_width: int | None) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(sources))
        self.map = None if query_width is None else nn.Linear(query_width, sources, bias=False)
        self.macs = 0 if query_width is None else query_width * sources

    def forward(self, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        logits = self.bias.expand(len(inputs[0]), -1)
        if self.map is not None:
            logits = logits + self.map(query)
        return logits.softmax(-1)


class PlainFree(PlainGate):
    """One number per source."""

    def __init__(self, sources: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(sources))

    def forward(self, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        return self.values.expand(len(inputs[0]), -1)


class PlainHardConcrete(PlainGate):
    """In evaluation: min(1, max(0, sigmoid(log alpha) (zeta - gamma) + gamma)), gamma = -0.1, zeta = 1.1."""

    def __init__(self, sources: int) -> None:
        super().__init__()
        self.log_alpha = nn.Parameter(torch.zeros(sources))

    def forward(self, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        z = (self.log_alpha.sigmoid() * 1.2 - 0.1).clamp(0, 1)
        return z.expand(len(inputs[0]), -1)


class PlainAttention(PlainGate):
    """softmax over sources u of <H1 u, H2 u> / sqrt(W) (AITM, eq. 5)."""

    def __init__(self, sources: int, width: int) -> None:
        super().__init__()
        self.keys, self.asks = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.macs = (2 * width * width + width) * sources

    def forward(self, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        logits = [(self.keys(u) * self.asks(u)).sum(-1) / sqrt(u.shape[-1]) for u in inputs]
        return torch.stack(logits, dim=-1).softmax(-1)


class PlainBinary(PlainSoftmax):
    """In evaluation: 1 where W q + b > 0, else 0, with the gradient of the sigmoid."""

    def forward(self, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        logits = self.bias.expand(len(inputs[0]), -1)
        if self.map is not None:
            logits = logits + self.map(query)
        p = 1 / (1 + (-logits).exp())
        return p - p.detach() + (logits > 0).to(p)


class PlainController(PlainGate):
    """1 for the highest logit of a row, (q C1) C2 + b, with the gradient of the softmax: row by row."""

    def __init__(self, sources: int, rank: int, query_width: int | None) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(sources))
        self.down = self.up = None
        if query_width is not None:
            self.down, self.up = nn.Linear(query_width, rank, bias=False), nn.Linear(rank, sources, bias=False)
            self.macs = (query_width + sources) * rank

    def forward(self, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        rows = []
        for row in range(len(inputs[0])):
            logits = self.bias
            if self.down is not None and self.up is not None:
                logits = logits + self.up(self.down(query[row]))  # type: ignore[index]
            soft = logits.exp() / logits.exp().sum()
            best = max(range(len(soft)), key=lambda n, soft=soft: float(soft[n].detach()))
            rows.append(torch.stack([p - p.detach() + (n == best) for n, p in enumerate(soft)]))
        return torch.stack(rows)


class PlainDSelect(PlainGate):
    """DSelect-k, eq. 3-5, with one smooth step per bit: loops over rows, selectors, sources and bits."""

    def __init__(self, sources: int, selectors: int, query_width: int | None) -> None:
        super().__init__()
        self.sources, self.selectors, self.bits = sources, selectors, code_length(sources)
        numbers = selectors * (1 + self.bits)
        self.bias = nn.Parameter(torch.zeros(numbers))
        self.map = None if query_width is None else nn.Linear(query_width, numbers, bias=False)
        self.macs = 0 if query_width is None else query_width * numbers

    def forward(self, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        numbers = self.bias.expand(len(inputs[0]), -1)
        if self.map is not None:
            numbers = numbers + self.map(query)
        rows = []
        for row in numbers:
            shares = row[: self.selectors].softmax(0)
            values = [torch.zeros((), dtype=row.dtype) for _ in range(self.sources)]
            for s in range(self.selectors):
                first = self.selectors + s * self.bits
                for source in range(self.sources):
                    mass = shares[s]
                    for bit in range(self.bits):
                        on = _smooth_step(row[first + bit])
                        mass = mass * (on if (source >> bit) & 1 else 1 - on)
                    values[source] = values[source] + mass
            rows.append(torch.stack(values))
        return torch.stack(rows)


def _smooth_step(t: Tensor, gamma: float = 1.0) -> Tensor:
    if t <= -gamma / 2:
        return t * 0
    if t >= gamma / 2:
        return t * 0 + 1
    return -2 / gamma**3 * t**3 + 3 / (2 * gamma) * t + 0.5


def plain_gate(junction: Junction, mix: Mix, width: int, query_widths: Mapping[str, int]) -> PlainGate | None:
    """The module of a junction's gate; None where it has no weights."""
    sources = len(mix.inputs)
    query_width = query_widths.get(mix.query)
    match mix.gate:
        case GateKind.SOFTMAX:
            return PlainSoftmax(sources, query_width)
        case GateKind.BINARY:
            return PlainBinary(sources, query_width)
        case GateKind.FREE:
            return PlainFree(sources)
        case GateKind.HARD_CONCRETE:
            return PlainHardConcrete(sources)
        case GateKind.ATTENTION:
            return PlainAttention(sources, width)
        case GateKind.CONTROLLER:
            return PlainController(sources, junction.rank, query_width)
        case GateKind.DSELECT_K:
            return PlainDSelect(sources, junction.selectors, query_width)
        case GateKind.PASS | GateKind.SUM | GateKind.AVERAGE:
            return None
