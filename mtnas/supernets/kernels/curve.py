"""Kernels of ``mtnas.supernets.inputs.curves``: a linear map of a number plus its place on a piecewise-linear curve.

Legend: K pack, S data seeds, B batch, P numbers, V segments of all curves, D width. ``shape`` is (K, B, P, V, D).
"""

from __future__ import annotations

from mtnas.supernets.kernels.compiling import kernel
from mtnas.supernets.kernels.memory import Elements, Numbers, Seen, Strides


@kernel
def forward(
    table: Elements,
    linear: Elements,
    rows: Numbers,
    shares: Elements,
    x: Elements,
    seed_of: Numbers,
    vectors: Elements,
    shape: Strides,
) -> None:
    """``below + share * slope + x * weight + bias`` into ``vectors`` ``[K, B, P, D]``, all in a row.

    ``table`` ``[K, V, 2, D]`` holds below and slope, ``linear`` ``[K, P, 2, D]`` bias and weight; ``rows``, ``shares``
    and ``x`` are ``[S, B, P]``.
    """
    K, B, P, V, D = shape
    for k in range(K):
        for b in range(B):
            for p in range(P):
                at = (seed_of[k] * B + b) * P + p
                of_curve, of_map, to = (k * V + rows[at]) * 2 * D, (k * P + p) * 2 * D, ((k * B + b) * P + p) * D
                share, number = shares[at], x[at]
                for d in range(D):
                    on_curve = table[of_curve + d] + share * table[of_curve + D + d]
                    vectors[to + d] = on_curve + linear[of_map + d] + number * linear[of_map + D + d]


@kernel
def gradients(
    grad_seen: Seen,
    rows: Numbers,
    shares: Elements,
    x: Elements,
    seed_of: Numbers,
    grad_table: Elements,
    grad_linear: Elements,
    shape: Strides,
) -> None:
    """Add the gradient ``[K, B, P, D]`` of every vector to what it was made of; rows are added in their order."""
    grad, grad_strides = grad_seen
    K, B, P, V, D = shape
    for k in range(K):
        for b in range(B):
            for p in range(P):
                at = (seed_of[k] * B + b) * P + p
                of_curve, of_map = (k * V + rows[at]) * 2 * D, (k * P + p) * 2 * D
                above = k * grad_strides[0] + b * grad_strides[1] + p * grad_strides[2]
                share, number = shares[at], x[at]
                for d in range(D):
                    slope = grad[above + d]
                    grad_table[of_curve + d] += slope
                    grad_table[of_curve + D + d] += share * slope
                    grad_linear[of_map + d] += slope
                    grad_linear[of_map + D + d] += number * slope
