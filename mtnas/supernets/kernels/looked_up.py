"""Kernels of ``mtnas.supernets.inputs.look_up``: rows of tables, and the sums of their gradients.

Legend: K pack, S data seeds, N numbers of a batch (rows x features), V rows of a candidate's table, W width.
"""

from __future__ import annotations

from mtnas.supernets.kernels.compiling import kernel
from mtnas.supernets.kernels.memory import Elements, Numbers, Seen, Strides


@kernel
def gradients(grad_seen: Seen, rows: Numbers, seed_of: Numbers, grad_tables: Elements, shape: Strides) -> None:
    """Add the gradient ``[K, B, C, W]`` of every number looked up to its row of ``grad_tables`` ``[K, V, W]``.

    ``rows`` ``[S, B, C]`` in a row; ``seed_of`` ``[K]``; ``shape`` is (K, B, C, V, W). Rows are added in their order.
    """
    grad, grad_strides = grad_seen
    K, B, C, V, W = shape
    for k in range(K):
        for b in range(B):
            for c in range(C):
                at = k * grad_strides[0] + b * grad_strides[1] + c * grad_strides[2]
                to = (k * V + rows[(seed_of[k] * B + b) * C + c]) * W
                for w in range(W):
                    grad_tables[to + w] += grad[at + w]
