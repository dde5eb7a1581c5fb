"""The encoder's vector and its products with all maps that read it: one wide product instead of many narrow ones.

Legend: K pack, B batch, D width of the vector, M members of a map (instances, junctions), W width of a member.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Inputs:
    """What the encoder gave, during one pass.

    Sub-networks of the first layer and the gates' queries read one vector. Their weights stand beside each other in
    one product, here and in the backward pass: wide products run faster, and the vector is read once.

    Args:
        vector_KBD: the encoder's output.
        maps: weights ``[K, M, D, W]`` that will be asked for, every M and W its own.
        copies: how often every row is read, once by each route group; what follows from the vector alone is computed
            once, and then stands there for all (:meth:`for_copies`).
    """

    def __init__(self, vector_KBD: Tensor, maps: Sequence[Tensor] = (), *, copies: int = 1) -> None:
        self.vector, self.copies = vector_KBD, copies
        self._products: dict[int, Tensor] = {}
        if maps:
            wide = vector_KBD @ torch.cat([beside(weight) for weight in maps], dim=2)
            pieces = torch.split(wide, [weight.shape[1] * weight.shape[3] for weight in maps], dim=2)
            self._products = {id(weight): _apart(piece, weight) for weight, piece in zip(maps, pieces, strict=True)}

    def product(self, weight_KMDW: Tensor) -> Tensor:
        """``[K, B, M, W]``."""
        found = self._products.get(id(weight_KMDW))
        return wide_product(self.vector, weight_KMDW) if found is None else found

    def for_copies(self, x: Tensor, dim: int) -> Tensor:
        """What was computed of the distinct rows, along the axis ``dim``, for all rows: one copy after another."""
        return x if self.copies == 1 else torch.cat([x] * self.copies, dim)


def wide_product(x_KBD: Tensor, weight_KMDW: Tensor) -> Tensor:
    """One vector's products with M maps, ``[K, B, M, W]``."""
    return _apart(x_KBD @ beside(weight_KMDW), weight_KMDW)


def beside(weight_KMDW: Tensor) -> Tensor:
    """The members' columns beside each other, ``[K, D, M * W]``."""
    return weight_KMDW.transpose(1, 2).flatten(2)


def _apart(product_KBX: Tensor, weight_KMDW: Tensor) -> Tensor:
    K, B, _ = product_KBX.shape
    return product_KBX.view(K, B, weight_KMDW.shape[1], weight_KMDW.shape[3])
