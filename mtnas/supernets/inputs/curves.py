"""A linear map of a number plus its place on a piecewise-linear curve, for every candidate.

Legend: K pack, S data seeds, B batch, P numbers, V segments of all curves, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtnas.supernets.inputs.look_up import look_up, per_candidate
from mtnas.supernets.kernels import compiled, elements, numbers, rowwise, seen, unsigned


def on_curves(
    table_KV2D: Tensor, linear_KP2D: Tensor, rows_SBP: Tensor, shares_SBP: Tensor, x_SBP: Tensor, seed_of: Tensor | None
) -> Tensor:
    """``below + share * slope + x * weight + bias``: ``[K, B, P, D]``.

    Args:
        table_KV2D: what the segments below each segment add up to, and its own slope.
        linear_KP2D: bias and weight of each number.
        rows_SBP: in which segment each number lies.
        shares_SBP: how much of its way through it.
        x_SBP: the numbers themselves.
        seed_of: which of the S rows each candidate reads; ``None`` when S is 1.
    """
    if compiled(table_KV2D, linear_KP2D, shares_SBP, x_SBP) and not (shares_SBP.requires_grad or x_SBP.requires_grad):
        found: Tensor = _Compiled.apply(table_KV2D, linear_KP2D, rows_SBP, shares_SBP, x_SBP, seed_of)  # type: ignore[no-untyped-call]
        return found
    K = len(table_KV2D)
    bias_KPD, weight_KPD = linear_KP2D.unbind(2)
    x_KBP1 = per_candidate(x_SBP, seed_of, K).unsqueeze(-1)
    mapped_KBPD = torch.addcmul(bias_KPD.unsqueeze(1), weight_KPD.unsqueeze(1), x_KBP1)
    below_KBPD, slope_KBPD = look_up(table_KV2D.flatten(2), rows_SBP, seed_of).chunk(2, dim=-1)
    shares_KBP1 = per_candidate(shares_SBP, seed_of, K).unsqueeze(-1)
    return mapped_KBPD + torch.addcmul(below_KBPD, slope_KBPD, shares_KBP1)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        table_KV2D: Tensor,
        linear_KP2D: Tensor,
        rows_SBP: Tensor,
        shares_SBP: Tensor,
        x_SBP: Tensor,
        seed_of: Tensor | None,
    ) -> Tensor:
        from mtnas.supernets.kernels import curve as kernel

        K, V, _, D = table_KV2D.shape
        _, B, P = rows_SBP.shape
        seeds = torch.zeros(K, dtype=torch.int64) if seed_of is None else seed_of
        shares_SBP, x_SBP = shares_SBP.contiguous(), x_SBP.contiguous()
        ctx.save_for_backward(rows_SBP, shares_SBP, x_SBP, seeds)
        ctx.shape = K, B, P, V, D
        vectors = table_KV2D.new_empty((K, B, P, D))
        table, linear = elements(table_KV2D.contiguous()), elements(linear_KP2D.contiguous())
        read = numbers(rows_SBP), elements(shares_SBP), elements(x_SBP), numbers(seeds)
        kernel.forward(table, linear, *read, elements(vectors), unsigned(ctx.shape))
        return vectors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from mtnas.supernets.kernels import curve as kernel

        rows_SBP, shares_SBP, x_SBP, seeds = ctx.saved_tensors
        K, _, P, V, D = ctx.shape
        of_table, of_linear = grad.new_zeros((K, V, 2, D)), grad.new_zeros((K, P, 2, D))
        read = numbers(rows_SBP), elements(shares_SBP), elements(x_SBP), numbers(seeds)
        sums = elements(of_table), elements(of_linear)
        kernel.gradients(seen(rowwise(grad), 3), *read, *sums, unsigned(ctx.shape))
        return of_table, of_linear, None, None, None, None
