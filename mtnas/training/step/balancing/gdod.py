"""GDOD: follow only the directions that no task opposes.

Legend: K pack, T tasks, E eigenvectors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.step.balancing.balancer import GramBalancer, PackShape
from mtnas.training_options import GdodBalancer


class Gdod(GramBalancer):
    """The task gradients' shared components (METHODS.md section 7), from their Gram matrix alone."""

    def __init__(self, shape: PackShape, settings: GdodBalancer) -> None:
        self._tolerance = settings.tolerance

    def weights(self, gram_KTT: Tensor, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """See :func:`gdod_weights`."""
        return gdod_weights(gram_KTT, present_KT, tolerance=self._tolerance)[0].to(losses_KT.dtype)


def gdod_weights(
    gram_KTT: Tensor, present_KT: Tensor | None = None, *, tolerance: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """GDOD (Dong et al., CIKM 2022) by eigenvectors instead of a decomposition of the gradients.

    With ``M = V diag(l) V^T`` and S the eigenvectors whose entries all have one sign, the direction is ``G w`` with
    ``w = sum_{k in S} V_k (V_k^T 1)``; S empty gives the mean of the gradients. The singular vectors of G with the
    singular value sqrt(l) are those directions in the parameters, on which every task's gradient has a component of
    that sign.

    Args:
        gram_KTT: inner products of the task gradients, finite.
        present_KT: which tasks are there, bool; ``None`` means all.
        tolerance: an entry of a unit eigenvector nearer to zero than this has no sign and opposes nobody.

    Returns:
        Weights ``[K, T]``, and the share ``[K]`` of the gradients' squared length that the directions hold.
    """
    gram_KTT = gram_KTT.double()
    present_KT = torch.ones_like(gram_KTT[:, 0], dtype=torch.bool) if present_KT is None else present_KT
    # Longer than all others together, what is absent has eigenvectors of its own, which are passed over.
    beyond_K1 = 1 + 2 * gram_KTT.diagonal(dim1=1, dim2=2).sum(dim=1, keepdim=True)
    gram_KTT = gram_KTT + torch.diag_embed(torch.where(present_KT, 0.0, beyond_K1))
    lengths_KE, vectors_KTE = torch.linalg.eigh(gram_KTT)
    there_KE = (vectors_KTE.square() * present_KT.unsqueeze(2)).sum(dim=1) > 0.5
    agree_KE = (vectors_KTE >= -tolerance).all(dim=1) | (vectors_KTE <= tolerance).all(dim=1)
    agree_KE = agree_KE & there_KE
    kept_KTE = vectors_KTE * agree_KE.unsqueeze(1)
    weights_KT = (kept_KTE * kept_KTE.sum(dim=1, keepdim=True)).sum(dim=2)
    num_tasks_K1 = present_KT.sum(dim=1, keepdim=True).clamp(min=1)
    weights_KT = torch.where(agree_KE.any(dim=1, keepdim=True), weights_KT, present_KT.double() / num_tasks_K1)
    lengths_KE = lengths_KE.clamp(min=0) * there_KE
    share_K = (lengths_KE * agree_KE).sum(dim=1) / lengths_KE.sum(dim=1).clamp(min=1e-300)
    return weights_KT, share_K
