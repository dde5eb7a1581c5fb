"""Numbers as vectors: a linear map each, plus a piecewise-linear or a periodic part (METHODS.md section 10).

Gorishniy, Rubachev and Babenko, 2022, https://arxiv.org/abs/2203.05556. Their piecewise-linear encoding gives a number
n components: 1 for every segment below it, its share of the way through its own, 0 above; one linear map per column
then makes a vector of them. That vector is what the segments below add up to, plus a share of one further row, so it is
looked up: neither the components ``[B, P, n]`` nor the product with them is ever computed.

Legend: K pack, S data seeds, B batch, P numbers, N segments of the number that has most, F frequencies, D width.
"""

from __future__ import annotations

from itertools import accumulate
from math import pi

import torch
from torch import Tensor, nn

from mtnas.routes import NumberMaps
from mtnas.supernets.initial import Initial
from mtnas.supernets.inputs.curves import on_curves
from mtnas.supernets.inputs.look_up import per_candidate


class MappedNumbers(nn.Module):
    """Every number's vector, for every candidate."""

    columns: Tensor

    def __init__(self, name: str, maps: NumberMaps, initial: Initial) -> None:
        super().__init__()
        bound = maps.width**-0.5
        sites = [f"{name}/number.{place}" for place in range(len(maps.columns))]
        self.weight = nn.Parameter(initial.uniform([f"{site}/weight" for site in sites], (maps.width,), bound))
        self.bias = nn.Parameter(initial.uniform([f"{site}/bias" for site in sites], (maps.width,), bound))
        self.piecewise = PiecewisePart(maps, initial) if maps.segments else None
        self.periodic = PeriodicPart(sites, maps, initial) if maps.frequencies else None
        self.register_buffer("columns", torch.tensor(maps.columns), persistent=False)

    def forward(self, numeric_SBX: Tensor, seed_of: Tensor | None) -> Tensor:
        """``[K, B, P * D]`` of a batch's numeric inputs."""
        x_SBP = numeric_SBX.index_select(-1, self.columns)
        if self.piecewise is not None:
            linear_KP2D = torch.stack((self.bias, self.weight), dim=2)
            return on_curves(
                self.piecewise.table(), linear_KP2D, *self.piecewise.read(numeric_SBX), x_SBP, seed_of
            ).flatten(2)
        x_KBP = per_candidate(x_SBP, seed_of, len(self.weight))
        mapped_KBPD = torch.addcmul(self.bias.unsqueeze(1), self.weight.unsqueeze(1), x_KBP.unsqueeze(-1))
        if self.periodic is not None:
            mapped_KBPD = mapped_KBPD + self.periodic(x_KBP)
        return mapped_KBPD.flatten(2)


class PiecewisePart(nn.Module):
    """A piecewise-linear curve per number, zero at the start; where its segments lie is in the batch.

    ``slopes`` ``[K, sum of segments, D]``: what a number gains on its way through each segment.
    """

    places: Tensor
    last: Tensor
    first: Tensor
    padded: Tensor

    def __init__(self, maps: NumberMaps, initial: Initial) -> None:
        super().__init__()
        self.slopes = nn.Parameter(initial.constant(["slopes"], (sum(maps.segments), maps.width), 0.0)[:, 0])
        self.most = max(maps.segments)
        starts = accumulate(maps.segments, initial=0)
        padded = [
            [start + min(i, n - 1) for i in range(self.most)] for start, n in zip(starts, maps.segments, strict=False)
        ]
        self.register_buffer("places", torch.tensor(maps.places), persistent=False)
        self.register_buffer("last", torch.tensor(maps.segments) - 1, persistent=False)
        self.register_buffer("first", torch.arange(len(maps.segments)) * self.most, persistent=False)
        self.register_buffer("padded", torch.tensor(padded).flatten(), persistent=False)

    def read(self, numeric_SBX: Tensor) -> tuple[Tensor, Tensor]:
        """In which segment each number lies, and how much of its way through it, ``[S, B, P]`` each.

        Before the first and beyond the last segment of a number the outer ones go on.
        """
        place_SBP = numeric_SBX.index_select(-1, self.places)
        segment_SBP = torch.minimum(place_SBP.detach().floor().long().clamp(min=0), self.last)
        return segment_SBP + self.first, place_SBP - segment_SBP

    def table(self) -> Tensor:
        """For every segment what those below it add up to, and its own slope: ``[K, P * N, 2, D]``."""
        K, _, D = self.slopes.shape
        slopes_KPND = self.slopes.index_select(1, self.padded).view(K, -1, self.most, D)
        below_KPND = slopes_KPND.cumsum(2) - slopes_KPND
        return torch.stack((below_KPND, slopes_KPND), dim=3).flatten(1, 2)


class PeriodicPart(nn.Module):
    """cos(2 pi c x + p) at learned frequencies c and phases p per number, then a linear map, shared or of its own."""

    def __init__(self, sites: list[str], maps: NumberMaps, initial: Initial) -> None:
        super().__init__()
        F, bound = maps.frequencies, maps.frequencies**-0.5
        frequencies = initial.normal([f"{site}/frequencies" for site in sites], (F,), maps.deviation)
        self.frequencies = nn.Parameter(frequencies)
        self.phases = nn.Parameter(initial.uniform([f"{site}/phases" for site in sites], (F,), pi))
        readers = [f"{site}/waves" for site in sites]
        self.weights = nn.Parameter(initial.uniform(readers[:1] if maps.shared else readers, (F, maps.width), bound))

    def forward(self, x_KBP: Tensor) -> Tensor:
        """``[K, B, P, D]``."""
        angles = torch.addcmul(self.phases.unsqueeze(1), 2 * pi * self.frequencies.unsqueeze(1), x_KBP.unsqueeze(-1))
        waves_KPBF = angles.cos().transpose(1, 2)
        return (waves_KPBF @ self.weights).transpose(1, 2)
