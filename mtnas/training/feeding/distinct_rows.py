"""The distinct rows of a table that a batch reads, in tensors whose shapes do not depend on how many there are.

Legend: K pack, S data seeds, X numbers of rows in a batch, N places for distinct ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class DistinctRows:
    """The distinct ones among numbers of rows.

    Attributes:
        rows: ``[S, N]``, rising, then the last one again and again.
        kept: ``[S, N]``, the first place that holds the same row as this one.
        places: ``[S, ...]``, for every number its place in ``rows``.
    """

    rows: Tensor
    kept: Tensor
    places: Tensor

    @classmethod
    def of(cls, numbers: Tensor, *, below: int) -> DistinctRows:
        """Find them by sorting, since ``torch.unique`` waits for the device.

        Args:
            numbers: int64 ``[S, ...]``.
            below: what they are below, so that N is no larger.
        """
        sorted_SX, order_SX = numbers.flatten(1).sort(dim=1)
        rises_SX = torch.zeros_like(sorted_SX)
        rises_SX[:, 1:] = sorted_SX[:, 1:] != sorted_SX[:, :-1]
        place_SX = rises_SX.cumsum(1)
        N = min(sorted_SX.shape[1], below)
        return cls(
            rows=sorted_SX[:, -1:].repeat(1, N).scatter_(1, place_SX, sorted_SX),
            kept=torch.minimum(torch.arange(N, device=numbers.device), place_SX[:, -1:]),
            places=torch.empty_like(order_SX).scatter_(1, order_SX, place_SX).view_as(numbers),
        )


def for_candidates(numbers_SN: Tensor, seed_of: Tensor | None, num_candidates: int, *, distance: int) -> Tensor:
    """Every candidate's numbers, into what lies ``distance`` apart for each: ``[K * N]``."""
    numbers = numbers_SN if seed_of is None else numbers_SN.index_select(0, seed_of)
    return (numbers + torch.arange(num_candidates, device=numbers.device)[:, None] * distance).flatten()
