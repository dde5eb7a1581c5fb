"""Softmax over active sources, for hard and for relaxed edges.

Legend: K pack, J junctions, N sources, B batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtnas.supernets.kernels import compiled, elements, seen, unsigned


def softmax_over(logits_KJNB: Tensor, edges_KJNB: Tensor) -> Tensor:
    """e^logit * edge / sum(e^logit * edge) ``[K, J, N, B]``, for relaxed edges as well; zeros where none is active.

    The slope along an edge that is off is that of a source with the highest active logit at most: the true one grows
    as e^(logit - highest), which says nothing about the edge being on and drowns every other gradient of a
    straight-through sample.
    """
    logits_KBJN, edges_KBJN = logits_KJNB.permute(0, 3, 1, 2), edges_KJNB.permute(0, 3, 1, 2)  # as they lie in memory
    if compiled(logits_KJNB, edges_KJNB):
        values: Tensor = _CompiledSoftmax.apply(*torch.broadcast_tensors(logits_KBJN, edges_KBJN))  # type: ignore[no-untyped-call]
        return values.permute(0, 2, 3, 1)
    fixed = logits_KBJN.detach()
    highest = fixed.masked_fill(edges_KBJN == 0, -torch.inf).amax(3, keepdim=True)
    shift = highest.where(highest > -torch.inf, fixed.amax(3, keepdim=True))
    weighted = (logits_KBJN - shift).clamp(max=0).exp() * edges_KBJN
    total = weighted.sum(3, keepdim=True)
    return (weighted / total.where(total > 0, 1)).permute(0, 2, 3, 1)


class _CompiledSoftmax(torch.autograd.Function):
    """Of ``[K, B, J, N]``."""

    @staticmethod
    def forward(ctx: Any, logits_KBJN: Tensor, edges_KBJN: Tensor) -> Tensor:
        from mtnas.supernets.kernels import softmax as kernel

        ctx.shape = unsigned(logits_KBJN.shape)
        values = logits_KBJN.new_empty(logits_KBJN.shape)
        kernel.forward(seen(logits_KBJN, 4), seen(edges_KBJN, 4), elements(values), ctx.shape)
        ctx.save_for_backward(logits_KBJN, edges_KBJN, values)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        from mtnas.supernets.kernels import softmax as kernel

        logits_KBJN, edges_KBJN, values = ctx.saved_tensors
        of_logits = of_edges = None
        if ctx.needs_input_grad[0]:
            of_logits = torch.empty_like(values)
            kernel.gradients_of_logits(seen(grad, 4), elements(values), elements(of_logits), ctx.shape)
        if ctx.needs_input_grad[1]:
            of_edges = torch.empty_like(values)
            read = seen(grad, 4), seen(logits_KBJN, 4), seen(edges_KBJN, 4)
            kernel.gradients_of_edges(*read, elements(values), elements(of_edges), ctx.shape)
        return of_logits, of_edges
