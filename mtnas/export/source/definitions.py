"""Functions and classes that a generated module brings along where it uses them, as source."""

from __future__ import annotations

import re

FUNCTIONS = {
    "mix": '''
def mix(logits: Tensor, sources: list[Tensor]) -> Tensor:
    """Sources [B, W] weighed by the softmax of logits: [B, sources], or [sources] for all rows."""
    weights = torch.softmax(logits, dim=-1).unsqueeze(-1)
    return (weights * torch.stack(sources, dim=1)).sum(dim=1)
''',
    "weigh": '''
def weigh(values: Tensor, sources: list[Tensor]) -> Tensor:
    """The sum of sources [B, W] times values: [B, sources], or [sources] for all rows."""
    return (values.unsqueeze(-1) * torch.stack(sources, dim=1)).sum(dim=1)
''',
    "opened": '''
def opened(logits: Tensor) -> Tensor:
    """1 where a logit is above 0, else 0."""
    return (logits > 0).to(logits.dtype)
''',
    "by_step": '''
def by_step(sequences: Tensor, steps: int) -> Tensor:
    """Sequences [B, channels * steps] as rows [B * steps, channels]."""
    return sequences.unflatten(1, (-1, steps)).transpose(1, 2).flatten(0, 1)
''',
    "rejoined": '''
def rejoined(rows: Tensor, steps: int) -> Tensor:
    """Sequences [B, channels * steps] of rows [B * steps, channels]."""
    return rows.unflatten(0, (-1, steps)).transpose(1, 2).flatten(1)
''',
    "average": '''
def average(sources: list[Tensor]) -> Tensor:
    """The mean of sources [B, W]."""
    return torch.stack(sources).mean(dim=0)
''',
    "mean_of_bag": '''
def mean_of_bag(table: nn.Embedding, rows: Tensor) -> Tensor:
    """Mean of each bag's embeddings; zeros for an empty one. ``rows``: [B, longest], -1 where a bag is shorter."""
    present = (rows >= 0).unsqueeze(-1)
    embedded: Tensor = table(rows.clamp(min=0)) * present
    return embedded.sum(dim=1) / present.sum(dim=1).clamp(min=1)
''',
    "indicators": '''
def indicators(rows: Tensor, values: int) -> Tensor:
    """1 at each row's value, counted from 1, and 0 elsewhere: [B, values]; zeros for row 0."""
    return nn.functional.one_hot(rows, values + 1)[:, 1:].float()
''',
    "both": '''
def both(first: Tensor, second: Tensor) -> Tensor:
    """The logit of the product of two probabilities, given as logits [B, 1]."""
    return -torch.stack((-first, -second, -first - second)).logsumexp(dim=0)
''',
}

CLASSES = {
    "CrossNetwork": '''
class CrossNetwork(nn.Module):
    """x <- x0 * (U V^T x + b) + x per layer."""

    def __init__(self, width: int, ranks: list[int]) -> None:
        super().__init__()
        self.downs = nn.ModuleList(nn.Linear(width, rank, bias=False) for rank in ranks)
        self.ups = nn.ModuleList(nn.Linear(rank, width) for rank in ranks)

    def forward(self, first: Tensor) -> Tensor:
        """[B, width] to [B, width]."""
        x = first
        for down, up in zip(self.downs, self.ups):
            x = x + first * up(down(x))
        return x
''',
    "PiecewiseNumbers": '''
class PiecewiseNumbers(nn.Module):
    """A vector per number: a linear map plus a curve of segments.

    The place 2.25 is a quarter of the way through the third segment: the curve there is all of the first two slopes and
    a quarter of the third.
    """

    def __init__(self, segments: list[int], width: int) -> None:
        super().__init__()
        shape = (len(segments), width)
        self.weight, self.bias = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))
        self.segments, self.slopes = segments, nn.Parameter(torch.zeros(sum(segments), width))

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """Numbers and their places [B, numbers] to [B, numbers * width]."""
        most = max(self.segments)
        parts = zip(self.segments, self.slopes.split(self.segments))
        slopes = torch.stack([nn.functional.pad(part, (0, 0, 0, most - segments)) for segments, part in parts])
        gone = (places.unsqueeze(2) - torch.arange(most, device=x.device)).clamp(0, 1)
        curves = torch.einsum("bns,nsw->bnw", gone, slopes)
        return (self.weight * x.unsqueeze(2) + self.bias + curves).flatten(1)
''',
    "PeriodicNumbers": '''
class PeriodicNumbers(nn.Module):
    """A vector per number: a linear map plus one of waves."""

    def __init__(self, numbers: int, width: int, frequencies: int, maps: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(numbers, width)), nn.Parameter(torch.zeros(numbers, width))
        self.frequencies = nn.Parameter(torch.zeros(numbers, frequencies))
        self.phases = nn.Parameter(torch.zeros(numbers, frequencies))
        self.waves = nn.Parameter(torch.zeros(maps, frequencies, width))

    def forward(self, x: Tensor) -> Tensor:
        """Numbers [B, numbers] to [B, numbers * width]."""
        waves = torch.cos(2 * torch.pi * self.frequencies * x.unsqueeze(2) + self.phases)
        curves = (waves.unsqueeze(2) @ self.waves).squeeze(2)
        return (self.weight * x.unsqueeze(2) + self.bias + curves).flatten(1)
''',
    "Columns": '''
class Columns(nn.Module):
    """Some neighbouring units of a vector."""

    def __init__(self, begin: int, end: int) -> None:
        super().__init__()
        self.begin, self.end = begin, end

    def forward(self, x: Tensor) -> Tensor:
        """[B, width] to [B, end - begin]."""
        return x[:, self.begin : self.end]
''',
    "MaskBlock": '''
class MaskBlock(nn.Module):
    """relu(norm(W (mask * norm(x)))), where a small perceptron makes the mask of x."""

    def __init__(self, width: int, hidden: int, out: int, norm: bool) -> None:
        super().__init__()
        self.aggregation, self.projection = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.output = nn.Linear(width, out)
        self.inner = nn.LayerNorm(width) if norm else nn.Identity()
        self.outer = nn.LayerNorm(out) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B, width] to [B, out]."""
        mask = self.projection(torch.relu(self.aggregation(x)))
        return torch.relu(self.outer(self.output(mask * self.inner(x))))
''',
    "FactorisationMachine": '''
class FactorisationMachine(nn.Module):
    """A linear part and pairwise interactions, ((x V)^2 - x^2 V^2) / 2, per unit."""

    def __init__(self, width: int, factors: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, factors)
        self.factors = nn.Parameter(torch.zeros(width, factors))

    def forward(self, x: Tensor) -> Tensor:
        """[B, width] to [B, factors]."""
        pairs = (x @ self.factors).square() - x.square() @ self.factors.square()
        return self.linear(x) + pairs / 2
''',
    "Attention": '''
class Attention(nn.Module):
    """Logits [B, sources] of sources by their own contents: <u H1, u H2> / sqrt(width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.keys, self.asks = nn.Parameter(torch.zeros(width, width)), nn.Parameter(torch.zeros(width, width))

    def forward(self, sources: list[Tensor]) -> Tensor:
        """Sources [B, width] each."""
        stacked = torch.stack(sources, dim=1)
        return ((stacked @ self.keys) * (stacked @ self.asks)).sum(dim=2) / len(self.keys) ** 0.5
''',
    "Recurrent": '''
class Recurrent(nn.Module):
    """A gated recurrent unit over sequences [B, channels * steps], the steps of a channel in a row."""

    def __init__(self, channels: int, steps: int, units: int, last: bool) -> None:
        super().__init__()
        self.shape, self.last = (channels, steps), last
        self.cell = nn.GRU(channels, units, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """The states [B, units * steps], or the last one [B, units]."""
        states: Tensor = self.cell(x.unflatten(1, self.shape).transpose(1, 2))[0]
        return states[:, -1] if self.last else states.transpose(1, 2).flatten(1)
''',
    "Controller": '''
class Controller(nn.Module):
    """Opens one source per row: 1 for the highest logit, which a low-rank map of the query gives, 0 for the rest."""

    def __init__(self, query: int, rank: int, sources: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(sources))
        if query:
            self.down, self.up = nn.Parameter(torch.zeros(query, rank)), nn.Parameter(torch.zeros(rank, sources))

    def forward(self, query: Tensor | None = None) -> Tensor:
        """[B, sources] for queries [B, query]; [1, sources] without."""
        logits = self.bias.unsqueeze(0) if query is None else query @ self.down @ self.up + self.bias
        return torch.zeros_like(logits).scatter(1, logits.argmax(dim=1, keepdim=True), 1.0)
''',
    "DSelect": '''
class DSelect(nn.Module):
    """Values of sources, of which few are not 0: selectors, each a share and a smooth binary code of one source."""

    def __init__(self, query: int, sources: int, selectors: int, in_use: int, width: float) -> None:
        super().__init__()
        self.sources, self.selectors, self.in_use, self.width = sources, selectors, in_use, width
        self.bits = max(1, (sources - 1).bit_length())
        self.bias = nn.Parameter(torch.zeros(selectors * (1 + self.bits)))
        if query:
            self.weight = nn.Parameter(torch.zeros(query, selectors * (1 + self.bits)))

    def forward(self, query: Tensor | None = None) -> Tensor:
        """[B, sources] for queries [B, query]; [1, sources] without."""
        numbers = self.bias.unsqueeze(0) if query is None else query @ self.weight + self.bias
        shares = torch.softmax(numbers[:, : self.in_use], dim=1).unsqueeze(2)
        codes = numbers[:, self.selectors :].unflatten(1, (self.selectors, 1, self.bits))[:, : self.in_use]
        t = (codes / self.width).clamp(-0.5, 0.5)
        on = -2 * t**3 + 1.5 * t + 0.5
        bits = torch.arange(self.bits, device=on.device)
        wanted = (torch.arange(self.sources, device=on.device).unsqueeze(1) >> bits) & 1
        return (shares * torch.where(wanted == 1, on, 1 - on).prod(dim=3)).sum(dim=1)
''',
}


def used_in(body: str) -> list[str]:
    """The definitions that the text calls, classes first."""
    found = CLASSES | FUNCTIONS
    return [text.strip() for name, text in found.items() if re.search(rf"(?<![\w.]){name}\(", body)]
