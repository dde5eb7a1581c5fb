"""GradDrop: every entry of the gradient follows one sign, drawn by how much of it the tasks agree on.

Legend: T tasks, P elements of one candidate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.errors import TrainingError
from mtnas.training.seeds import derived_seed
from mtnas.training.step.balancing.balancer import JacobianBalancer, PackShape
from mtnas.training.step.counted_draws import keys, uniform, words
from mtnas.training_options import GradDropBalancer


class GradDrop(JacobianBalancer):
    """Gradient sign dropout (Chen et al., 2020, https://arxiv.org/abs/2010.06808, algorithm 1).

    It needs every entry of the task gradients, so a pack may hold one candidate only. What is drawn for an entry
    depends on (seed, step, the entry's place) alone.

    Raises:
        TrainingError: a pack of several candidates.
    """

    def __init__(self, shape: PackShape, settings: GradDropBalancer) -> None:
        if len(shape.seeds) != 1:
            raise TrainingError(
                expected="packs of one candidate for a balancer that needs full Jacobians",
                found=f"{len(shape.seeds)} candidates",
                where="balancer 'graddrop'",
            )
        self._key_1, self._leak = keys([derived_seed("balancer", shape.seeds[0])], shape.device), settings.leak

    def combine(self, gradients_TP: Tensor, step: int) -> Tensor:
        """The direction ``[P]``; entries without any gradient stay zero."""
        places_P = torch.arange(gradients_TP.shape[1], device=gradients_TP.device)
        draws_P = uniform(words(self._key_1, step), places_P)
        return one_sign(gradients_TP, draws_P.to(gradients_TP.dtype), leak=self._leak)


def one_sign(gradients_TP: Tensor, draws_P: Tensor, *, leak: float) -> Tensor:
    """The sum ``[P]`` over tasks of the entries that have the entry's drawn sign; of the others, the share ``leak``.

    Args:
        gradients_TP: of the tasks.
        draws_P: uniform in (0, 1); the sign is positive where the positive share of an entry is greater.
        leak: from 0 (others are dropped) to 1 (nothing is).
    """
    length_P = gradients_TP.abs().sum(dim=0)
    share_P = 0.5 * (1.0 + gradients_TP.sum(dim=0) / torch.where(length_P > 0, length_P, 1.0))
    follows_TP = torch.where(share_P > draws_P, gradients_TP > 0, gradients_TP < 0)
    return (gradients_TP * torch.where(follows_TP, 1.0, leak)).sum(dim=0)
