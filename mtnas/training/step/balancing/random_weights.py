"""Random loss weighting: new weights at every step, a test that any better method must pass.

Legend: K pack, T tasks.
"""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor

from mtnas.training.seeds import derived_seed
from mtnas.training.step.balancing.balancer import LossBalancer, PackShape
from mtnas.training_options import RandomBalancer


class RandomWeights(LossBalancer):
    """``T softmax`` of independent normal numbers (Lin et al., 2022, https://arxiv.org/abs/2111.10603, algorithm 2).

    A number depends on (seed, step, task's name) alone, so candidates of one seed share them, a resumed run repeats
    them, and the order of the tasks does not matter.
    """

    def __init__(self, shape: PackShape, settings: RandomBalancer) -> None:
        self._shape, self._normal = shape, NormalDist(sigma=settings.deviation) if settings.deviation else None

    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """The weights of this step."""
        if self._normal is None:
            return self._shape.ones()
        drawn = {
            seed: [self._draw(seed, step, task.name, self._normal) for task in self._shape.tasks]
            for seed in set(self._shape.seeds)
        }
        logits_KT = torch.tensor([drawn[seed] for seed in self._shape.seeds], dtype=self._shape.dtype)
        return (len(self._shape.tasks) * torch.softmax(logits_KT, dim=1)).to(self._shape.device, non_blocking=True)

    def _draw(self, seed: int, step: int, task: str, normal: NormalDist) -> float:
        return normal.inv_cdf((derived_seed("balancer", seed, step, task) + 0.5) / 2**63)
