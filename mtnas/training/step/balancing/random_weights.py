"""Random loss weighting: new weights at every step, a test that any better method must pass.

Legend: K pack, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.training.seeds import derived_seed
from mtnas.training.step.balancing.balancer import LossBalancer, PackShape
from mtnas.training.step.counted_draws import keys, uniform
from mtnas.training_options import RandomBalancer


class RandomWeights(LossBalancer):
    """``T softmax`` of independent normal numbers (Lin et al., 2022, https://arxiv.org/abs/2111.10603, algorithm 2).

    A number depends on (seed, step, task's name) alone, so candidates of one seed share them, a resumed run repeats
    them, and the order of the tasks does not matter.
    """

    def __init__(self, shape: PackShape, settings: RandomBalancer) -> None:
        named = [derived_seed("balancer", seed, task.name) for seed in shape.seeds for task in shape.tasks]
        self._keys_KT = keys(named, shape.device).view(len(shape.seeds), len(shape.tasks))
        self._dtype, self._deviation = shape.dtype, settings.deviation

    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """The weights of this step."""
        logits_KT: Tensor = self._deviation * torch.special.ndtri(uniform(self._keys_KT, step))
        return (logits_KT.shape[1] * torch.softmax(logits_KT, dim=1)).to(self._dtype)
