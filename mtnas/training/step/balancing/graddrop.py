"""GradDrop: every entry of the gradient follows one sign, drawn by how much of it the tasks agree on.

Legend: T tasks, P elements of one candidate.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchjd.aggregation import GradDrop as LibraryGradDrop

from mtnas.errors import TrainingError
from mtnas.training.seeds import derived_seed
from mtnas.training.step.balancing.balancer import JacobianBalancer, PackShape
from mtnas.training_options import GradDropBalancer


class GradDrop(JacobianBalancer):
    """Gradient sign dropout (Chen et al., 2020, https://arxiv.org/abs/2010.06808, algorithm 1), through TorchJD.

    It needs every entry of the task gradients, so a pack may hold one candidate only.

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
        self._seed, self._device = shape.seeds[0], shape.device
        leak = torch.full((len(shape.tasks),), settings.leak, device=shape.device, dtype=shape.dtype)
        self._aggregate = LibraryGradDrop(leak=leak)

    def combine(self, gradients_TP: Tensor, step: int) -> Tensor:
        """The direction ``[P]``; entries without any gradient stay zero."""
        on_cuda = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=on_cuda):
            torch.manual_seed(derived_seed("balancer", self._seed, step))
            return self._aggregate(gradients_TP)
