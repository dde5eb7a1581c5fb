"""Banks of recurrent blocks, and views of sequences: flat vectors of channels x steps (``routes.blocks.sequences``).

Legend: K pack, I instances, B batch, T steps, C channels, H units.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor

from mtnas.routes import Block, BlockKind
from mtnas.routes.blocks.sequences import GATES, read_sequence
from mtnas.supernets.banks.bank import Bank, picked
from mtnas.supernets.draws import Draws
from mtnas.supernets.initial import Initial


class RecurrentBank(Bank):
    """I gated recurrent units (Cho et al., 2014, https://arxiv.org/abs/1406.1078), unrolled over the steps.

    As ``torch.nn.GRU`` has it: the gates in the order r, z, n, and the reset behind the product. Dropout is on what
    they give.
    """

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        self.sequence, self.num_units = read_sequence(block.widths), block.widths[2]
        self.gives_last = block.kind is BlockKind.GRU_LAST
        width, bound = GATES * self.num_units, 1 / sqrt(self.num_units)
        reads, states = ([f"{site}/{part}" for site in sites] for part in ("read", "state"))
        self.weights_read = torch.nn.Parameter(initial.uniform(reads, (self.sequence.channels, width), bound))
        self.weights_state = torch.nn.Parameter(initial.uniform(states, (self.num_units, width), bound))
        self.biases_read, self.biases_state = (
            torch.nn.Parameter(initial.uniform([f"{name}/bias" for name in names], (width,), bound))
            for names in (reads, states)
        )

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """``[K, I, B, H * T]`` of all states, or ``[K, I, B, H]`` of the last one."""
        weight, bias = picked(self.weights_state, chosen), picked(self.biases_state, chosen).unsqueeze(2)
        bias_read = picked(self.biases_read, chosen).unsqueeze(2)
        x_TKIBC = x.reshape(*x.shape[:3], self.sequence.channels, self.sequence.steps).movedim(4, 0)
        read_TKIBX = x_TKIBC @ picked(self.weights_read, chosen) + bias_read
        state = read_TKIBX.new_zeros((*read_TKIBX.shape[1:4], self.num_units))
        states = []
        for read in read_TKIBX.unbind(0):
            reset, keep, new = read.chunk(GATES, dim=-1)
            old_reset, old_keep, old_new = (state @ weight + bias).chunk(GATES, dim=-1)
            kept = (keep + old_keep).sigmoid()
            fresh = torch.addcmul(new, (reset + old_reset).sigmoid(), old_new).tanh()
            state = torch.lerp(fresh, state, kept)
            states.append(state)
        out = state if self.gives_last else torch.stack(states, dim=-1).flatten(3)
        return out if noise is None else noise.dropout(out)


def rows_of_steps(x: Tensor, steps: int) -> Tensor:
    """Sequences ``[..., B, C * T]`` as rows ``[..., B * T, C]``, the steps of a sequence in a row."""
    return x.reshape(*x.shape[:-1], -1, steps).transpose(-1, -2).flatten(-3, -2)


def sequences_of(rows: Tensor, steps: int) -> Tensor:
    """What ``rows_of_steps`` was given: ``[..., B, C * T]`` of ``[..., B * T, C]``."""
    return rows.reshape(*rows.shape[:-2], -1, steps, rows.shape[-1]).transpose(-1, -2).flatten(-2)
