"""Covariance alignment: a matrix per task between the inputs and the shared part (METHODS.md section 5).

Wu, Zhang and Ré, 2020, https://arxiv.org/abs/2005.00944, algorithm 1: ``Z_i = E_i R_i``. Our tasks share their
embedding E, so the shared part runs on T versions of every row, laid one after another along the batch axis.

Legend: K pack, T tasks, N towers of a group, B batch, R rows (T times B), D input width, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mtnas.errors import SpaceError
from mtnas.supernets.initial import Initial
from mtnas.supernets.selection import Selection

if TYPE_CHECKING:
    from mtnas.supernets.draws import Draws


class TaskAlignment(nn.Module):
    """One matrix ``[D, D]`` per task and candidate, the identity at the start."""

    def __init__(self, tasks: Sequence[str], width: int, initial: Initial) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        shape = (len(initial.seeds), len(self.tasks), width, width)
        identity = torch.eye(width, device=initial.device, dtype=initial.dtype)
        self.matrices = nn.Parameter(identity.expand(shape).clone())

    def forward(self, encoded_KBD: Tensor, selection: Selection) -> Tensor:
        """Every task's version of every row, ``[K, T * B, D]``.

        Raises:
            SpaceError: a selection of several route groups, which would cut the rows elsewhere.
        """
        if selection.num_groups != 1:
            found = f"{selection.num_groups} route groups"
            raise SpaceError(expected="one route per candidate under alignment", found=found, where="supernet")
        return (encoded_KBD.unsqueeze(1) @ self.matrices).flatten(1, 2)

    def own_rows(self, x_KNRW: Tensor, tasks: Sequence[str]) -> Tensor:
        """Each tower's own version of the rows: ``[K, N, B, W]`` of ``[K, N, T * B, W]``."""
        K, N, R, W = x_KNRW.shape
        versions = x_KNRW.reshape(K, N, len(self.tasks), R // len(self.tasks), W)
        return torch.stack([versions[:, n, self.tasks.index(task)] for n, task in enumerate(tasks)], dim=1)


class SharedDraws:
    """Noise for rows that stand there T times: all versions of a row drop the same units.

    So a net whose matrices are the identity trains as one that has none.
    """

    def __init__(self, noise: Draws, times: int) -> None:
        self._noise, self._times = noise, times

    def dropout(self, x: Tensor) -> Tensor:
        """Drop units of ``x`` [K, I, T * B, W]."""
        K, num_instances, R, W = x.shape
        versions = x.reshape(K, num_instances, self._times, R // self._times, W)
        mask = self._noise.dropout(torch.ones_like(versions[:, :, 0]))
        return (versions * mask.unsqueeze(2)).flatten(2, 3)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers of a gate, which are there once for all versions of the rows."""
        return self._noise.uniform(shape)

    def uniform_rows(self, shape: Sequence[int], num_rows: int) -> Tensor:
        """Numbers of a gate per row: all versions of a row get the same."""
        drawn = self._noise.uniform_rows(shape, num_rows // self._times)
        return drawn.repeat(*[1] * (drawn.dim() - 1), self._times)
