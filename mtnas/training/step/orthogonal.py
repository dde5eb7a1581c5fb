"""Muon: momentum of hidden matrices, made orthogonal, for all candidates of a pack in the same products.

Legend: K pack, S slots of a bank, M matrices, R rows, C columns.
"""

from __future__ import annotations

import re
from math import sqrt

import torch
from torch import Tensor

from mtnas.training.step.flat import FlatParameters, FlatSlot

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5
_EPSILON = 1e-7
_LONG = 2.0  # times as long as wide, from where on the Gram matrix saves products
_HIDDEN = re.compile(r"(^|\.)(banks\.\w+\.weights?(\.\d+)?|gates\.\w+\.transforms)$")


def is_hidden_matrix(name: str, shape: torch.Size) -> bool:
    """Whether a parameter consists of hidden matrices: those of sub-networks and of edges.

    Neither tables, towers, maps of gates, convolutions nor anything that is no matrix.

    Args:
        name: dotted.
        shape: for one candidate, ``[S, R, C]`` or ``[J, edges, R, C]``.
    """
    dimensions = 4 if name.endswith("transforms") else 3
    return _HIDDEN.search(name) is not None and len(shape) == dimensions and min(shape[-2:]) > 1


class OrthogonalMomentum:
    """Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/) on one flat buffer.

    A step is ``torch.optim.Muon`` with Nesterov momentum and ``match_rms_adamw``, for every candidate with its own
    rate and decay: the orthogonal matrix is scaled by .2 sqrt(max(R, C)), so that AdamW's rates fit.

    The iteration runs in bfloat16 on a GPU, as published, and in the type of the weights on a CPU.
    """

    def __init__(self, flat: FlatParameters, momentum: Tensor, *, decay: float = 0.95) -> None:
        """Prepare.

        Args:
            flat: of whose parameters ``matrices`` are stepped.
            momentum: a buffer like ``flat.weights``; zeros to start with.
            decay: of the momentum.
        """
        self._slots: tuple[FlatSlot, ...] = flat.matrices
        self._flat, self._momentum, self._decay = flat, momentum, decay

    def step(self, lr_K: Tensor, weight_decay_K: Tensor) -> None:
        """Move the matrices once; both rates are float64 ``[K]``."""
        weights, grads = self._flat.weights, self._flat.grads
        kept_K1 = (1.0 - lr_K * weight_decay_K).to(weights.dtype)[:, None]
        end = self._flat.num_in_matrices
        weights[:, :end].mul_(kept_K1)
        self._momentum[:, :end].lerp_(grads[:, :end], 1.0 - self._decay)
        ahead = grads[:, :end].lerp(self._momentum[:, :end], self._decay)
        for slot in self._slots:
            size_K = (lr_K * (0.2 * sqrt(max(slot.shape[-2:])))).to(weights.dtype)
            found = orthogonal(self._flat.part(slot, ahead).flatten(0, -3)).reshape(len(weights), -1)
            self._flat.part(slot, weights).flatten(1).addcmul_(found, size_K[:, None], value=-1.0)


def orthogonal(matrices_MRC: Tensor) -> Tensor:
    """The nearly orthogonal matrices with the same singular vectors: singular values come to lie in about [.7, 1.2].

    Five Newton-Schulz steps of degree five. Zero stays zero.
    """
    x = matrices_MRC.to(torch.bfloat16) if matrices_MRC.is_cuda else matrices_MRC
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / x.flatten(1).norm(dim=1).clamp(min=_EPSILON)[:, None, None]
    by_gram = x.dtype != torch.bfloat16 and x.shape[2] >= _LONG * x.shape[1]
    x = _by_gram_matrix(x) if by_gram else _step_by_step(x)
    return (x.transpose(1, 2) if tall else x).to(matrices_MRC.dtype)


def _step_by_step(x_MRC: Tensor) -> Tensor:
    a, b, c = _COEFFICIENTS
    for _ in range(_STEPS):
        gram = x_MRC @ x_MRC.transpose(1, 2)
        x_MRC = torch.baddbmm(x_MRC, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x_MRC, beta=a)
    return x_MRC


def _by_gram_matrix(x_MRC: Tensor) -> Tensor:
    """The same steps on x x^T alone: each multiplies x by a polynomial q of it, and the products are small."""
    a, b, c = _COEFFICIENTS
    gram = x_MRC @ x_MRC.transpose(1, 2)
    whole: Tensor | None = None
    for step in range(_STEPS):
        q = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        q.diagonal(dim1=1, dim2=2).add_(a)
        whole = q if whole is None else q @ whole
        if step < _STEPS - 1:
            gram = q @ gram @ q
    assert whole is not None
    return whole @ x_MRC
