"""Kernels of ``mtnas.supernets.mixing``: all sources of a row are read once for all junctions that mix them.

Legend: K pack, J junctions, R lists of sources (each read by J/R junctions in a row), N sources, B rows, W width.
Strides of values are those of K, J, N and B; of sources those of K, R, N and B; of sums those of K, J and B.
"""

from __future__ import annotations

import numpy as np

from mtnas.supernets.kernels.compiling import kernel
from mtnas.supernets.kernels.memory import Seen, Strides


@kernel
def sums(
    values_seen: Seen,
    sources_seen: Seen,
    out_seen: Seen,
    shape: Strides,
) -> None:
    """``out[k, j, b] = sum over n of values[k, j, n, b] * sources[k, r, n, b]``; ``shape`` is (K, J, R, N, B, W)."""
    values, values_strides = values_seen
    sources, sources_strides = sources_seen
    out, out_strides = out_seen
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


@kernel
def gradients(
    grad_seen: Seen,
    values_seen: Seen,
    sources_seen: Seen,
    grad_values_seen: Seen,
    grad_sources_seen: Seen,
    shape: Strides,
) -> None:
    """The gradients of values and sources.

    ``grad_values[k, j, n, b] = sum over w of grad[k, j, b, w] * sources[k, r, n, b, w]``, and
    ``grad_sources[k, r, n, b] = sum over the list's j of values[k, j, n, b] * grad[k, j, b]``.
    """
    grad, grad_strides = grad_seen
    values, values_strides = values_seen
    sources, sources_strides = sources_seen
    grad_values, grad_values_strides = grad_values_seen
    grad_sources, grad_sources_strides = grad_sources_seen
    K, J, R, N, B, W = shape
    users = J // R
    total = np.empty(W, grad.dtype)
    for k in range(K):
        for b in range(B):
            of_grad = k * grad_strides[0] + b * grad_strides[2]
            for r in range(R):
                for n in range(N):
                    at = (
                        k * sources_strides[0]
                        + r * sources_strides[1]
                        + n * sources_strides[2]
                        + b * sources_strides[3]
                    )
                    of_value = k * values_strides[0] + n * values_strides[2] + b * values_strides[3]
                    to_value = k * grad_values_strides[0] + n * grad_values_strides[2] + b * grad_values_strides[3]
                    for w in range(W):
                        total[w] = 0
                    for j in range(r * users, r * users + users):
                        above, value = of_grad + j * grad_strides[1], values[of_value + j * values_strides[1]]
                        product = grad.dtype.type(0)
                        for w in range(W):
                            product += grad[above + w] * sources[at + w]
                        for w in range(W):
                            total[w] += value * grad[above + w]
                        grad_values[to_value + j * grad_values_strides[1]] = product
                    to_list = k * grad_sources_strides[0] + r * grad_sources_strides[1]
                    to = to_list + n * grad_sources_strides[2] + b * grad_sources_strides[3]
                    for w in range(W):
                        grad_sources[to + w] = total[w]
