"""Weights in closed form from the eigenvectors of the Gram matrix, for all candidates at once and on their device.

Legend: K pack, T tasks, E eigenvectors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.balancer import GramBalancer, PackShape, everyone
from mtnas.training_options import AlignedMtlBalancer, ImtlGBalancer


class ClosedForm(GramBalancer):
    """IMTL-G or Aligned-MTL, times the number of tasks that are there; without conflict, about what equal weights give.

    Both are as TorchJD has them, which is what tests compare them with.
    """

    def __init__(self, shape: PackShape, settings: ImtlGBalancer | AlignedMtlBalancer) -> None:
        self._settings = settings

    def weights(self, gram_KTT: Tensor, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """Weights ``[K, T]``; a candidate whose gradients vanish, a lone task and an absent one have weights 1."""
        present_KT = everyone(losses_KT, present_KT).expand_as(losses_KT)
        gram_KTT = gram_KTT.double() * present_KT.unsqueeze(1) * present_KT.unsqueeze(2)
        count_K1 = present_KT.sum(dim=1, keepdim=True)
        length_K1 = gram_KTT.diagonal(dim1=1, dim2=2).sum(dim=1, keepdim=True)
        weighed_K1 = (count_K1 > 1) & (length_K1 > 0)
        gram_KTT = gram_KTT * (count_K1 / torch.where(weighed_K1, length_K1, 1.0)).unsqueeze(2)
        if isinstance(self._settings, ImtlGBalancer):
            found_KT = impartial(gram_KTT)
        else:
            found_KT = aligned(gram_KTT, present_KT, scale=self._settings.scale)
        return torch.where(weighed_K1 & present_KT, count_K1 * found_KT, 1.0).to(losses_KT.dtype)


def impartial(gram_KTT: Tensor) -> Tensor:
    """Weights ``[K, T]`` of sum 1 whose direction has equal projections on all task gradients.

    IMTL-G (Liu et al., ICLR 2021, https://openreview.net/forum?id=IMPnRXEWpvr), with the pseudo-inverse, so that
    gradients may depend on each other. Zero where the solution sums to zero.
    """
    values_KE, vectors_KTE, kept_KE = _eigen(gram_KTT)
    norms_KT1 = gram_KTT.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt().unsqueeze(2)
    inverse_KE = torch.where(kept_KE, 1.0 / torch.where(kept_KE, values_KE, 1.0), 0.0)
    solved_KT = (vectors_KTE @ (inverse_KE.unsqueeze(2) * (vectors_KTE.transpose(1, 2) @ norms_KT1))).squeeze(2)
    sum_K1 = solved_KT.sum(dim=1, keepdim=True)
    none_K1 = sum_K1.abs() < 1e-12
    return torch.where(none_K1, 0.0, solved_KT / torch.where(none_K1, 1.0, sum_K1))


def aligned(gram_KTT: Tensor, present_KT: Tensor, *, scale: str) -> Tensor:
    """Weights ``[K, T]`` that give the mean gradient after all principal components have been made equally long.

    Aligned-MTL (Senushkin et al., CVPR 2023, https://arxiv.org/abs/2305.19000, algorithm 1).

    Args:
        gram_KTT: inner products; zero for tasks that are absent.
        present_KT: which tasks are there, bool.
        scale: the common length: of the shortest component (``min``), of the ``median`` or of their mean (``rmse``).
    """
    values_KE, vectors_KTE, kept_KE = _eigen(gram_KTT)  # ascending: what is kept comes last
    num_kept_K1 = kept_KE.sum(dim=1, keepdim=True).clamp(min=1)
    first_K1 = values_KE.shape[1] - num_kept_K1
    if scale == "rmse":
        length_K1 = (values_KE * kept_KE).sum(dim=1, keepdim=True) / num_kept_K1
    else:
        length_K1 = values_KE.gather(1, first_K1 + (num_kept_K1 - 1) // 2 if scale == "median" else first_K1)
    stretch_KE = torch.where(kept_KE, (length_K1.clamp(min=0) / torch.where(kept_KE, values_KE, 1.0)).sqrt(), 0.0)
    mean_KT1 = (present_KT / present_KT.sum(dim=1, keepdim=True).clamp(min=1)).double().unsqueeze(2)
    return (vectors_KTE @ (stretch_KE.unsqueeze(2) * (vectors_KTE.transpose(1, 2) @ mean_KT1))).squeeze(2)


def _eigen(gram_KTT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues ``[K, E]``, ascending, their vectors, and which values are more than rounding."""
    values_KE, vectors_KTE = torch.linalg.eigh(gram_KTT)
    tolerance_K1 = values_KE[:, -1:] * values_KE.shape[1] * torch.finfo(values_KE.dtype).eps
    return values_KE, vectors_KTE, values_KE > tolerance_K1.clamp(min=0)
