"""Kernels of ``mtnas.supernets.mixing``: all sources of a row are read once for all junctions that mix them.

Legend: K pack, J junctions, R lists of sources (each read by J/R junctions in a row), N sources, B rows, W width.
Strides of values are those of K, J, N and B; of sources those of K, R, N and B; of sums those of K, J and B.
"""

from __future__ import annotations

from numba import njit

from mtnas.supernets.kernels.memory import Elements

_FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums in any order; NaN and infinity keep their meaning
Strides3 = tuple[int, int, int]
Strides4 = tuple[int, int, int, int]
Shape = tuple[int, int, int, int, int, int]


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
    for k in range(K):
        for b in range(B):
            for j in range(J):
                end = k * out_strides[0] + j * out_strides[1] + b * out_strides[2]
                out_W = out[end : end + W]
                of_list = k * sources_strides[0] + (j // users) * sources_strides[1] + b * sources_strides[3]
                of_value = k * values_strides[0] + j * values_strides[1] + b * values_strides[3]
                first_W, first = sources[of_list : of_list + W], values[of_value]
                for w in range(W):
                    out_W[w] = first * first_W[w]
                for n in range(1, N):
                    start = of_list + n * sources_strides[2]
                    source_W, value = sources[start : start + W], values[of_value + n * values_strides[2]]
                    for w in range(W):
                        out_W[w] += value * source_W[w]


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
                grad_W = grad[above : above + W]
                of_list = k * sources_strides[0] + (j // users) * sources_strides[1] + b * sources_strides[3]
                end = k * grad_values_strides[0] + j * grad_values_strides[1] + b * grad_values_strides[3]
                for n in range(N):
                    start = of_list + n * sources_strides[2]
                    source_W = sources[start : start + W]
                    total = grad.dtype.type(0)
                    for w in range(W):
                        total += grad_W[w] * source_W[w]
                    grad_values[end + n * grad_values_strides[2]] = total


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
    for k in range(K):
        for b in range(B):
            for r in range(R):
                for n in range(N):
                    end = (
                        k * grad_sources_strides[0]
                        + r * grad_sources_strides[1]
                        + n * grad_sources_strides[2]
                        + b * grad_sources_strides[3]
                    )
                    out_W = grad_sources[end : end + W]
                    of_value = k * values_strides[0] + n * values_strides[2] + b * values_strides[3]
                    of_grad = k * grad_strides[0] + b * grad_strides[2]
                    for j in range(r * users, (r + 1) * users):
                        start = of_grad + j * grad_strides[1]
                        grad_W, value = grad[start : start + W], values[of_value + j * values_strides[1]]
                        if j == r * users:
                            for w in range(W):
                                out_W[w] = value * grad_W[w]
                        else:
                            for w in range(W):
                                out_W[w] += value * grad_W[w]
