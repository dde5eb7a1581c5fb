"""From logits to choices that carry gradients: softmax, Gumbel-softmax, straight-through.

Legend: K pack, G route groups, J junctions or slots, C choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from mtnas.training.step.noise import Noise

CERTAIN = 1e4
"""A logit that leaves no other choice: its softmax is exactly 1 at any temperature in use, with gradient zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """How logits become weights of choices.

    Attributes:
        temperature: ``[K]``; small ones come close to a single choice.
        noisy: whether Gumbel noise is added, so that a choice wins as often as its probability says (Jang et al.,
            ICLR 2017, https://arxiv.org/abs/1611.01144; Maddison et al., ICLR 2017, https://arxiv.org/abs/1611.00712).
        hard: whether one choice gets all the weight, while gradients are those of the soft weights.
    """

    temperature: Tensor
    noisy: bool
    hard: bool

    def weights(self, logits_KJC: Tensor, noise: Noise | None, num_groups: int) -> Tensor:
        """Weights ``[K, G, J, C]`` that sum to 1; G is 1 without noise to tell groups apart."""
        logits_KGJC = logits_KJC.unsqueeze(1)
        if self.noisy and noise is not None:
            u = noise.uniform((num_groups, *logits_KJC.shape[1:])).to(logits_KJC.dtype)
            logits_KGJC = logits_KGJC - (-u.log()).log()
        soft = (logits_KGJC / self.temperature.view(-1, 1, 1, 1)).softmax(-1)
        if not self.hard:
            return soft
        return F.one_hot(soft.argmax(-1), soft.shape[-1]) + (soft - soft.detach())
