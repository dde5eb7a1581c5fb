"""The candidate of ``census_shapes`` written by hand as a plain ``nn.Module``, and the loop that trains it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.census_shapes import INPUTS, SUBNETS, TASKS, WIDTH, Rows


class Mixer(nn.Module):
    """A softmax gate that sees the inputs and mixes sub-networks' outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Linear(INPUTS.width, SUBNETS)

    def forward(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """``outputs`` [B, S, W] to [B, W]."""
        return (self.logits(inputs).softmax(-1).unsqueeze(-1) * outputs).sum(1)


class PlainNetwork(nn.Module):
    """Two layers of sub-networks and a tower per task; one table for all categorical features."""

    first_row: Tensor

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = INPUTS.vocabularies
        self.table = nn.Embedding(sum(sizes), INPUTS.embedding_widths[0])
        self.register_buffer("first_row", torch.tensor(list(accumulate(sizes, initial=0))[:-1]))
        self.first = nn.ModuleList(_subnet(INPUTS.width, dropout) for _ in range(SUBNETS))
        self.mixers = nn.ModuleList(Mixer() for _ in range(SUBNETS))
        self.second = nn.ModuleList(_subnet(WIDTH, dropout) for _ in range(SUBNETS))
        self.tower_mixers = nn.ModuleList(Mixer() for _ in TASKS)
        self.towers = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, *task.tower), nn.ReLU(), nn.Linear(*task.tower, 1)) for task in TASKS
        )

    def forward(self, categorical: Tensor, numeric: Tensor) -> Tensor:
        """Logits ``[B, T]``."""
        x = torch.cat((self.table(categorical + self.first_row).flatten(1), numeric), 1)
        lower = torch.stack([subnet(x) for subnet in self.first], 1)
        mixed = [mixer(x, lower) for mixer in self.mixers]
        upper = torch.stack([subnet(m) for subnet, m in zip(self.second, mixed, strict=True)], 1)
        ends = [tower(mixer(x, upper)) for tower, mixer in zip(self.towers, self.tower_mixers, strict=True)]
        return torch.cat(ends, 1)


def _subnet(in_width: int, dropout: float) -> nn.Sequential:
    parts = [nn.Linear(in_width, WIDTH), nn.LayerNorm(WIDTH), nn.ReLU()]
    return nn.Sequential(*parts, nn.Dropout(dropout)) if dropout else nn.Sequential(*parts)


def plain_steps(
    rows: Rows, *, batch_size: int, fused: bool, device: str = "cpu", dropout: float = 0.0, lr: float = 1e-3
) -> Iterator[None]:
    """Train for ever, one step a turn, on shuffled batches that are gathered from tensors on the device."""
    net = PlainNetwork(dropout=dropout).to(device)
    optimiser = torch.optim.Adam(net.parameters(), lr=lr, fused=fused or None)
    chosen = torch.from_numpy(rows.parts["train"]).to(device)
    arrays = (rows.categorical, rows.numeric, rows.labels)
    categorical, numeric, labels = (torch.from_numpy(array).to(device) for array in arrays)
    while True:
        for batch in chosen[torch.randperm(len(chosen)).to(device)].split(batch_size):
            if len(batch) < batch_size:
                break
            logits = net(categorical[batch].long(), numeric[batch])
            loss = F.binary_cross_entropy_with_logits(logits, labels[batch], reduction="none").mean(0).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield
