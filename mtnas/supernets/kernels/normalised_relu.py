"""Kernels of ``mtnas.supernets.banks.normalise``: a row of units is normalised while it is in registers.

Loops over the units of a row each write one array or sum one up, never both: that is what the compiler turns into
vector instructions. Where a loop did both, it would compare addresses at run time to choose between a vector and a
scalar loop, and the order of the sum would follow from where arrays happen to lie. Sums over rows go from the first row
to the last, whatever K is. NaN goes through (``relu`` and its slope as torch has them).

Legend: K pack, B rows, M instances, W units. Strides are those of K, B and M.
"""

from __future__ import annotations

import numpy as np

from mtnas.supernets.kernels.compiling import kernel
from mtnas.supernets.kernels.memory import Elements, Seen, Strides

Parameters = tuple[Elements, Elements, Elements]  # bias, scale, shift


@kernel
def forward(
    x_seen: Seen,
    parameters: Parameters,
    out_seen: Seen,
    means: Elements,
    rates: Elements,
    shape: Strides,
    epsilon: float,
) -> None:
    """``relu(scale * (x + bias - mean) * rate + shift)`` into ``out``; means and rates ``[K, B, M]`` of the rows."""
    x, x_strides = x_seen
    out, out_strides = out_seen
    bias, scale, shift = parameters
    K, B, M, W = shape
    number = x.dtype.type
    units = np.empty(W, x.dtype)
    for k in range(K):
        for b in range(B):
            for m in range(M):
                row, of = (k * B + b) * M + m, (k * M + m) * W
                at = k * x_strides[0] + b * x_strides[1] + m * x_strides[2]
                to = k * out_strides[0] + b * out_strides[1] + m * out_strides[2]
                for w in range(W):
                    units[w] = x[at + w] + bias[of + w]
                mean = number(0)
                for w in range(W):
                    mean += units[w]
                mean /= number(W)
                square = number(0)
                for w in range(W):
                    square += (units[w] - mean) * (units[w] - mean)
                rate = number(1) / np.sqrt(square / number(W) + number(epsilon))
                for w in range(W):
                    y = (units[w] - mean) * rate * scale[of + w] + shift[of + w]
                    out[to + w] = number(0) if y <= number(0) else y
                means[row], rates[row] = mean, rate


@kernel
def backward(
    grad_seen: Seen,
    x_seen: Seen,
    parameters: Parameters,
    means: Elements,
    rates: Elements,
    grad_x_seen: Seen,
    grad_parameters: Parameters,
    shape: Strides,
) -> None:
    """The gradient of ``x``, and those of the parameters, added to what is in them.

    With n the normalised units and g their gradient: rate * (g - mean(g) - n * mean(g n)).
    """
    grad, grad_strides = grad_seen
    x, x_strides = x_seen
    grad_x, grad_x_strides = grad_x_seen
    bias, scale, shift = parameters
    grad_bias, grad_scale, grad_shift = grad_parameters
    K, B, M, W = shape
    number = x.dtype.type
    units, slopes = np.empty(W, x.dtype), np.empty(W, x.dtype)
    for k in range(K):
        for b in range(B):
            for m in range(M):
                row, of = (k * B + b) * M + m, (k * M + m) * W
                at = k * x_strides[0] + b * x_strides[1] + m * x_strides[2]
                above = k * grad_strides[0] + b * grad_strides[1] + m * grad_strides[2]
                to = k * grad_x_strides[0] + b * grad_x_strides[1] + m * grad_x_strides[2]
                mean, rate = means[row], rates[row]
                for w in range(W):
                    units[w] = (x[at + w] + bias[of + w] - mean) * rate
                for w in range(W):
                    slope = grad[above + w]
                    slopes[w] = number(0) if units[w] * scale[of + w] + shift[of + w] <= number(0) else slope
                for w in range(W):
                    grad_shift[of + w] += slopes[w]
                for w in range(W):
                    grad_scale[of + w] += slopes[w] * units[w]
                for w in range(W):
                    slopes[w] = slopes[w] * scale[of + w]
                along = number(0)
                for w in range(W):
                    along += slopes[w]
                across = number(0)
                for w in range(W):
                    across += slopes[w] * units[w]
                along /= number(W)
                across /= number(W)
                for w in range(W):
                    grad_x[to + w] = rate * (slopes[w] - along - units[w] * across)
                for w in range(W):
                    grad_bias[of + w] += grad_x[to + w]
