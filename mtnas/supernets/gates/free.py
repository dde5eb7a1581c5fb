"""Free values: one learned number per connection (cross-stitch; Misra et al., CVPR 2016, eq. 1-2).

Legend: K pack, J junctions, N sources.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mtnas.supernets.gates.gate import Gate, Gated, Mixing
from mtnas.supernets.initial import Initial

OWN_SHARE = 0.9


class FreeGate(Gate):
    """Values near the identity at the start: ``OWN_SHARE`` for a reader's own sources, the rest spread evenly.

    Args:
        names: the junctions.
        own: per junction and source whether the source belongs to the junction's reader.
        initial: gives the pack's size, device and type.
    """

    def __init__(self, names: Sequence[str], own: Sequence[Sequence[bool]], initial: Initial) -> None:
        super().__init__()
        values = initial.constant(names, (len(own[0]),), 0.0)
        starts = torch.tensor([start_values(row) for row in own], dtype=torch.float64)
        self.values = torch.nn.Parameter(values + starts.to(values))

    def forward(self, mixing: Mixing) -> Gated:
        """The numbers themselves where an edge is active."""
        return Gated(values=self.values.unsqueeze(-1) * mixing.edges)


def start_values(own: Sequence[bool]) -> list[float]:
    """Initial values of one junction's connections; an even share each when none or all of them are its own."""
    mine, others = sum(own), len(own) - sum(own)
    if not mine or not others:
        return [1 / len(own)] * len(own)
    return [OWN_SHARE / mine if is_own else (1 - OWN_SHARE) / others for is_own in own]
