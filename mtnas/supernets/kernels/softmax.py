"""Kernels of ``mtnas.supernets.gates.softmax_values``: few sources a row, one pass.

Legend: K pack, B rows, J junctions, N sources. Strides are those of all four axes, in this order.
"""

from __future__ import annotations

import numpy as np

from mtnas.supernets.kernels.compiling import kernel
from mtnas.supernets.kernels.memory import Elements, Seen, Strides


@kernel
def forward(
    logits_seen: Seen,
    edges_seen: Seen,
    values: Elements,
    shape: Strides,
) -> None:
    """``edge * e^(logit - highest) / sum`` of the active sources into ``values`` (in a row); zeros where none is."""
    logits, logits_strides = logits_seen
    edges, edges_strides = edges_seen
    K, B, J, N = shape
    number = logits.dtype.type
    for k in range(K):
        for b in range(B):
            for j in range(J):
                at = k * logits_strides[0] + b * logits_strides[1] + j * logits_strides[2]
                of_edge = k * edges_strides[0] + b * edges_strides[1] + j * edges_strides[2]
                to = ((k * B + b) * J + j) * N
                highest = number(-np.inf)
                for n in range(N):
                    logit = logits[at + n * logits_strides[3]]
                    if edges[of_edge + n * edges_strides[3]] != number(0) and not logit <= highest:
                        highest = logit
                total = number(0)
                for n in range(N):
                    edge = edges[of_edge + n * edges_strides[3]]
                    value = number(0)
                    if edge != number(0):
                        value = edge * np.exp(logits[at + n * logits_strides[3]] - highest)
                    values[to + n] = value
                    total += value
                if total != number(0):
                    for n in range(N):
                        values[to + n] /= total


@kernel
def gradients_of_logits(grad_seen: Seen, values: Elements, grad_logits: Elements, shape: Strides) -> None:
    """``value * (grad - sum of value * grad)``, in a row as the values are."""
    grad, grad_strides = grad_seen
    K, B, J, N = shape
    for k in range(K):
        for b in range(B):
            for j in range(J):
                above = k * grad_strides[0] + b * grad_strides[1] + j * grad_strides[2]
                to = ((k * B + b) * J + j) * N
                along = grad.dtype.type(0)
                for n in range(N):
                    along += values[to + n] * grad[above + n * grad_strides[3]]
                for n in range(N):
                    grad_logits[to + n] = values[to + n] * (grad[above + n * grad_strides[3]] - along)


@kernel
def gradients_of_edges(
    grad_seen: Seen,
    logits_seen: Seen,
    edges_seen: Seen,
    values: Elements,
    grad_edges: Elements,
    shape: Strides,
) -> None:
    """``e^(logit - highest) / total * (grad - sum of value * grad)``, the power 1 at most, in a row as the values are.

    Where no edge is active the total counts as 1 and the highest logit of all as the highest.
    """
    grad, grad_strides = grad_seen
    logits, logits_strides = logits_seen
    edges, edges_strides = edges_seen
    K, B, J, N = shape
    number = logits.dtype.type
    for k in range(K):
        for b in range(B):
            for j in range(J):
                above = k * grad_strides[0] + b * grad_strides[1] + j * grad_strides[2]
                at = k * logits_strides[0] + b * logits_strides[1] + j * logits_strides[2]
                of_edge = k * edges_strides[0] + b * edges_strides[1] + j * edges_strides[2]
                to = ((k * B + b) * J + j) * N
                highest, highest_of_all = number(-np.inf), number(-np.inf)
                along, any_active = number(0), False
                for n in range(N):
                    logit = logits[at + n * logits_strides[3]]
                    along += values[to + n] * grad[above + n * grad_strides[3]]
                    highest_of_all = highest_of_all if logit <= highest_of_all else logit
                    if edges[of_edge + n * edges_strides[3]] != number(0):
                        any_active = True
                        highest = highest if logit <= highest else logit
                highest = highest if any_active else highest_of_all
                total = number(0)
                for n in range(N):
                    power = min(logits[at + n * logits_strides[3]] - highest, number(0))
                    grad_edges[to + n] = np.exp(power)
                    total += grad_edges[to + n] * edges[of_edge + n * edges_strides[3]]
                total = total if total > number(0) else number(1)
                for n in range(N):
                    slope = (grad[above + n * grad_strides[3]] - along) / total
                    grad_edges[to + n] *= slope
