"""Kernels of ``mtnas.supernets.normalise``: a row of units is normalised while it is in registers.

Loops over the units of a row each write one array: that is what the compiler turns into vector instructions. Sums over
rows go from the first row to the last, whatever K is. NaN goes through (``relu`` and its slope as torch has them).

Legend: K pack, B rows, I instances, W units. Strides are those of K, B and I.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mtnas.supernets.kernels.memory import Elements

_FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums in any order; NaN and infinity keep their meaning
Strides = tuple[int, int, int]


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def forward(
    x: Elements,
    x_strides: Strides,
    bias: Elements,
    scale: Elements,
    shift: Elements,
    out: Elements,
    out_strides: Strides,
    means: Elements,
    rates: Elements,
    shape: tuple[int, int, int, int],
    epsilon: float,
) -> None:
    """``relu(scale * (x + bias - mean) * rate + shift)`` into ``out``; means and rates ``[K, B, I]`` of the rows."""
    K, B, I, W = shape
    number = x.dtype.type
    units = np.empty(W, x.dtype)
    for k in range(K):
        for b in range(B):
            for i in range(I):
                start = k * x_strides[0] + b * x_strides[1] + i * x_strides[2]
                end = k * out_strides[0] + b * out_strides[1] + i * out_strides[2]
                of = (k * I + i) * W
                x_W, out_W = x[start : start + W], out[end : end + W]
                bias_W, scale_W, shift_W = bias[of : of + W], scale[of : of + W], shift[of : of + W]
                mean = number(0)
                for w in range(W):
                    unit = x_W[w] + bias_W[w]
                    units[w] = unit
                    mean += unit
                mean /= number(W)
                square = number(0)
                for w in range(W):
                    unit = units[w] - mean
                    square += unit * unit
                rate = number(1) / np.sqrt(square / number(W) + number(epsilon))
                for w in range(W):
                    y = (units[w] - mean) * rate * scale_W[w] + shift_W[w]
                    out_W[w] = number(0) if y <= number(0) else y
                row = (k * B + b) * I + i
                means[row], rates[row] = mean, rate


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def backward(
    grad: Elements,
    grad_strides: Strides,
    x: Elements,
    x_strides: Strides,
    bias: Elements,
    scale: Elements,
    shift: Elements,
    means: Elements,
    rates: Elements,
    grad_x: Elements,
    grad_x_strides: Strides,
    grad_bias: Elements,
    grad_scale: Elements,
    grad_shift: Elements,
    shape: tuple[int, int, int, int],
) -> None:
    """The gradient of ``x``, and those of the parameters, added to what is in them.

    With n the normalised units and g their gradient: rate * (g - mean(g) - n * mean(g n)).
    """
    K, B, I, W = shape
    number = x.dtype.type
    units, slopes = np.empty(W, x.dtype), np.empty(W, x.dtype)
    for k in range(K):
        for b in range(B):
            for i in range(I):
                start = k * x_strides[0] + b * x_strides[1] + i * x_strides[2]
                above = k * grad_strides[0] + b * grad_strides[1] + i * grad_strides[2]
                end = k * grad_x_strides[0] + b * grad_x_strides[1] + i * grad_x_strides[2]
                of = (k * I + i) * W
                x_W, grad_W, grad_x_W = x[start : start + W], grad[above : above + W], grad_x[end : end + W]
                bias_W, scale_W, shift_W = bias[of : of + W], scale[of : of + W], shift[of : of + W]
                row = (k * B + b) * I + i
                mean, rate = means[row], rates[row]
                for w in range(W):
                    units[w] = (x_W[w] + bias_W[w] - mean) * rate
                for w in range(W):
                    slope = grad_W[w]
                    slopes[w] = number(0) if units[w] * scale_W[w] + shift_W[w] <= number(0) else slope
                grad_shift_W, grad_scale_W = grad_shift[of : of + W], grad_scale[of : of + W]
                for w in range(W):
                    grad_shift_W[w] += slopes[w]
                for w in range(W):
                    grad_scale_W[w] += slopes[w] * units[w]
                for w in range(W):
                    slopes[w] = slopes[w] * scale_W[w]
                along = number(0)
                for w in range(W):
                    along += slopes[w]
                across = number(0)
                for w in range(W):
                    across += slopes[w] * units[w]
                along /= number(W)
                across /= number(W)
                for w in range(W):
                    grad_x_W[w] = rate * (slopes[w] - along - units[w] * across)
                grad_bias_W = grad_bias[of : of + W]
                for w in range(W):
                    grad_bias_W[w] += grad_x_W[w]
