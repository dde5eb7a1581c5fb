"""Looking rows up in every candidate's own tables.

Legend: K pack, S data seeds, V table rows, W width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtnas.supernets.kernels import compiled, elements, numbers, rowwise, seen, unsigned


def per_candidate(x: Tensor, seed_of: Tensor | None, K: int) -> Tensor:
    """``[S, ...]`` to ``[K, ...]``; without copies when all candidates read the same rows."""
    return x.expand(K, *x.shape[1:]) if seed_of is None else x.index_select(0, seed_of)


def look_up(table: Tensor, rows: Tensor, seed_of: Tensor | None) -> Tensor:
    """Rows ``[S, ...]`` of every candidate's own table ``[K, V, W]``: ``[K, ..., W]``.

    On a CPU the gradient of a selection takes a quarter of the time of an embedding's, and a kernel, which reads the
    gradients where they lie, half of that again.
    """
    if not table.is_cpu:
        return F.embedding(_of_all(table, rows, seed_of), table.reshape(-1, table.shape[2]))
    if rows.ndim == 3 and compiled(table):
        found: Tensor = _CompiledLookUp.apply(table, rows, seed_of)  # type: ignore[no-untyped-call]
        return found
    return _selected(table, rows, seed_of)


def _selected(table_KVW: Tensor, rows: Tensor, seed_of: Tensor | None) -> Tensor:
    wanted = _of_all(table_KVW, rows, seed_of)
    chosen = table_KVW.reshape(-1, table_KVW.shape[2]).index_select(0, wanted.flatten())
    return chosen.view(*wanted.shape, table_KVW.shape[2])


def _of_all(table_KVW: Tensor, rows: Tensor, seed_of: Tensor | None) -> Tensor:
    """Rows of all candidates' tables, one after another."""
    K, V, _ = table_KVW.shape
    offset = torch.arange(K, device=rows.device).mul_(V).view(K, *[1] * (rows.dim() - 1))
    return per_candidate(rows, seed_of, K) + offset


class _CompiledLookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table_KVW: Tensor, rows_SBC: Tensor, seed_of: Tensor | None) -> Tensor:
        if seed_of is None:
            seed_of = torch.zeros(table_KVW.shape[0], dtype=torch.int64)
        ctx.save_for_backward(rows_SBC, seed_of)
        ctx.table_shape = table_KVW.shape
        return _selected(table_KVW, rows_SBC, seed_of if rows_SBC.shape[0] > 1 else None)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        from mtnas.supernets.kernels import looked_up as kernel

        rows_SBC, seed_of = ctx.saved_tensors
        K, V, W = ctx.table_shape
        of_table = grad.new_zeros((K, V, W))
        shape = unsigned((K, *rows_SBC.shape[1:], V, W))
        kernel.gradients(seen(rowwise(grad), 3), numbers(rows_SBC), numbers(seed_of), elements(of_table), shape)
        return of_table, None, None
