"""Kernels of ``mtnas.supernets.mixing``: all sources of a row are read once for all junctions that mix them.

Legend: K pack, J junctions, R lists of sources (each read by J/R junctions in a row), N sources, B rows, W width.
Strides of values are those of K, J, N and B; of sources those of K, R, N and B; of sums those of K, J and B.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mtnas.supernets.kernels.memory import Elements

_FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums in any order; NaN and infinity keep their meaning
Strides3 = tuple[np.uintp, np.uintp, np.uintp]
Strides4 = tuple[np.uintp, np.uintp, np.uintp, np.uintp]
Shape = tuple[np.uintp, np.uintp, np.uintp, np.uintp, np.uintp, np.uintp]


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def sums(
    values: Elements,
    values_strides: Strides4,
    sources: Elements,
    sources_strides: Strides4,
    out: Elements,
    out_strides: Strides3,
    shape: Shape,
) -> None:
    """``out[k, j, b] = sum over n of values[k, j, n, b] * sources[k, r, n, b]``; ``shape`` is (K, J, R, N, B, W)."""
    K, J, R, N, B, W = shape
    users = J // R
    total = np.empty(W, sources.dtype)
    for k in range(K):
        for b in range(B):
            for j in range(J):
                to = k * out_strides[0] + j * out_strides[1] + b * out_strides[2]
                first = k * sources_strides[0] + (j // users) * sources_strides[1] + b * sources_strides[3]
                of_row = k * values_strides[0] + j * values_strides[1] + b * values_strides[3]
                for w in range(W):
                    total[w] = 0
                for n in range(N):
                    value, at = values[of_row + n * values_strides[2]], first + n * sources_strides[2]
                    for w in range(W):
                        total[w] += value * sources[at + w]
                for w in range(W):
                    out[to + w] = total[w]


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def gradients_of_values(
    grad: Elements,
    grad_strides: Strides3,
    sources: Elements,
    sources_strides: Strides4,
    grad_values: Elements,
    grad_values_strides: Strides4,
    shape: Shape,
) -> None:
    """``grad_values[k, j, n, b] = sum over w of grad[k, j, b, w] * sources[k, r, n, b, w]``."""
    K, J, R, N, B, W = shape
    users = J // R
    for k in range(K):
        for b in range(B):
            for j in range(J):
                above = k * grad_strides[0] + j * grad_strides[1] + b * grad_strides[2]
                first = k * sources_strides[0] + (j // users) * sources_strides[1] + b * sources_strides[3]
                of_row = k * grad_values_strides[0] + j * grad_values_strides[1] + b * grad_values_strides[3]
                for n in range(N):
                    at = first + n * sources_strides[2]
                    total = grad.dtype.type(0)
                    for w in range(W):
                        total += grad[above + w] * sources[at + w]
                    grad_values[of_row + n * grad_values_strides[2]] = total


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def gradients_of_sources(
    grad: Elements,
    grad_strides: Strides3,
    values: Elements,
    values_strides: Strides4,
    grad_sources: Elements,
    grad_sources_strides: Strides4,
    shape: Shape,
) -> None:
    """``grad_sources[k, r, n, b] = sum over the list's j of values[k, j, n, b] * grad[k, j, b]``."""
    K, J, R, N, B, W = shape
    users = J // R
    total = np.empty(W, grad.dtype)
    for k in range(K):
        for b in range(B):
            for r in range(R):
                of_list = k * grad_sources_strides[0] + r * grad_sources_strides[1] + b * grad_sources_strides[3]
                for n in range(N):
                    to = of_list + n * grad_sources_strides[2]
                    of_row = k * values_strides[0] + n * values_strides[2] + b * values_strides[3]
                    for w in range(W):
                        total[w] = 0
                    for j in range(r * users, (r * users) + users):
                        above = k * grad_strides[0] + j * grad_strides[1] + b * grad_strides[2]
                        value = values[of_row + j * values_strides[1]]
                        for w in range(W):
                            total[w] += value * grad[above + w]
                    for w in range(W):
                        grad_sources[to + w] = total[w]
