"""Bias, layer normalisation, scale, shift and ReLU as one differentiable operation with a backward pass by hand.

On a CPU the library's own operations spend three times as long: its normalisation of rows of 64 alone takes longer
than all of this, and every operation that autograd records is a pass over memory more, forward and backward. Compiled
(``kernels``), it is one pass forward and one backward, another four times faster.

Legend: K pack, I instances, B batch, W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtnas.supernets.kernels import compiled, elements, rowwise, seen, unsigned

EPSILON = 1e-5


def normalised_relu(x: Tensor, bias_KIW: Tensor, scale_KIW: Tensor, shift_KIW: Tensor, *, across: int) -> Tensor:
    """``relu(scale * norm(x + bias) + shift)``, norm(h) = (h - mean) / sqrt(var + 1e-5) over the last axis.

    Args:
        x: products ``[K, I, B, W]`` (``across`` 2) or ``[K, B, I, W]`` (``across`` 1).
        bias_KIW: added first.
        scale_KIW: of the normalised units.
        shift_KIW: of the scaled ones.
        across: the batch axis.
    """
    found: Tensor
    if compiled(x, bias_KIW, scale_KIW, shift_KIW):
        x_KBIW = x if across == 1 else x.transpose(1, 2)
        found = _CompiledNormalisedRelu.apply(rowwise(x_KBIW), bias_KIW, scale_KIW, shift_KIW)  # type: ignore[no-untyped-call]
        return found if across == 1 else found.transpose(1, 2)
    found = _NormalisedRelu.apply(x, bias_KIW, scale_KIW, shift_KIW, across)  # type: ignore[no-untyped-call]
    return found


class _CompiledNormalisedRelu(torch.autograd.Function):
    """``_NormalisedRelu`` of ``[K, B, I, W]`` by kernels; results lie in memory as their arguments do."""

    @staticmethod
    def forward(ctx: Any, x_KBIW: Tensor, bias_KIW: Tensor, scale_KIW: Tensor, shift_KIW: Tensor) -> Tensor:
        """See ``normalised_relu``."""
        from mtnas.supernets.kernels import normalised_relu as kernel

        bias, scale, shift = (parameter.contiguous() for parameter in (bias_KIW, scale_KIW, shift_KIW))
        outputs = _like(x_KBIW)
        means, rates = x_KBIW.new_empty(x_KBIW.shape[:3]), x_KBIW.new_empty(x_KBIW.shape[:3])
        parameters = elements(bias), elements(scale), elements(shift)
        written = seen(outputs, 3), elements(means), elements(rates)
        kernel.forward(seen(x_KBIW, 3), parameters, *written, unsigned(x_KBIW.shape), EPSILON)
        ctx.save_for_backward(x_KBIW, bias, scale, shift, means, rates)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See ``_NormalisedRelu``."""
        from mtnas.supernets.kernels import normalised_relu as kernel

        x_KBIW, bias, scale, shift, means, rates = ctx.saved_tensors
        of_x, of_bias, of_scale, of_shift = _like(x_KBIW), *(torch.zeros_like(p) for p in (bias, scale, shift))
        parameters = elements(bias), elements(scale), elements(shift)
        read = seen(rowwise(grad), 3), seen(x_KBIW, 3), parameters, elements(means), elements(rates)
        written = elements(of_bias), elements(of_scale), elements(of_shift)
        kernel.backward(*read, seen(of_x, 3), written, unsigned(x_KBIW.shape))
        return of_x, of_bias, of_scale, of_shift


def _like(x_KBIW: Tensor) -> Tensor:
    """An empty tensor of that shape without gaps, whose axes follow each other in memory as those of ``x_KBIW`` do."""
    if x_KBIW.stride(1) < x_KBIW.stride(2):
        return x_KBIW.new_empty([x_KBIW.shape[axis] for axis in (0, 2, 1, 3)]).transpose(1, 2)
    return x_KBIW.new_empty(x_KBIW.shape)


class _NormalisedRelu(torch.autograd.Function):
    """Layer normalisation (Ba et al., 2016, https://arxiv.org/abs/1607.06450) between a bias and ReLU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias_KIW: Tensor, scale_KIW: Tensor, shift_KIW: Tensor, across: int) -> Tensor:
        """See ``normalised_relu``."""
        width = x.shape[-1]
        scale = scale_KIW.unsqueeze(across)
        units = x + bias_KIW.unsqueeze(across)
        units -= units.mean(-1, keepdim=True)
        length = torch.linalg.vector_norm(units, dim=-1, keepdim=True)
        rates = length.square_().div_(width).add_(EPSILON).rsqrt_()
        units *= rates
        outputs = torch.addcmul(shift_KIW.unsqueeze(across), units, scale).relu_()
        ctx.save_for_backward(units, rates, scale_KIW, outputs)
        ctx.across = across
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        """With n the normalised units and g the gradient of n: r (g - mean(g) - n mean(g n))."""
        units, rates, scale_KIW, outputs = ctx.saved_tensors
        across, width = ctx.across, units.shape[-1]
        grad = torch.ops.aten.threshold_backward(grad, outputs, 0)
        grad_shift = grad.sum(across)
        product = grad * units
        grad_scale = product.sum(across)
        scale = scale_KIW.unsqueeze(across)
        grad *= scale
        product *= scale
        grad -= grad.mean(-1, keepdim=True)
        grad.addcmul_(units, product.sum(-1, keepdim=True), value=-1 / width)
        grad *= rates
        return grad, grad.sum(across), grad_scale, grad_shift, None
