"""Architectures whose choices are relaxed: logits for every mix, coin and block, and weights made of them.

Legend: K pack, G route groups along a batch, J junctions or slots, C choices.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from mtnas.routes import Route
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection
from mtnas.training.searches.gradient.architecture import Architecture, Course, SearchT
from mtnas.training.searches.policy import MULTINOMIAL_INPUTS, RoutePolicy
from mtnas.training.searches.relaxation import Relaxation
from mtnas.training.searches.shared_supernet import SharedWeights
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.noise import Noise


class RelaxedArchitecture(Architecture[SearchT]):
    """Independent choices with logits; a subclass says how they are relaxed and what is added to the loss.

    Attributes:
        policy: the logits, and the routes that they make probable.
    """

    multinomial_inputs = MULTINOMIAL_INPUTS

    def __init__(
        self, space: SearchSpace, searches: Sequence[SearchT], device: torch.device, dtype: torch.dtype
    ) -> None:
        """See ``Architecture``."""
        super().__init__(space, searches, device, dtype)
        self.policy = RoutePolicy(space, len(searches), device, dtype=dtype, multinomial_inputs=self.multinomial_inputs)

    @abstractmethod
    def relaxation(self, course: Course) -> Relaxation:
        """How logits become weights now."""

    def terms(self, course: Course) -> Tensor:
        """Nothing."""
        return torch.zeros(len(self.searches), device=self.device, dtype=self.dtype)

    def expected(self) -> Selection:
        """Probabilities ``[K, 1, ...]`` of every edge, gate, query and block."""
        return self.policy.expected()

    def flat(self, weights: SharedWeights) -> FlatParameters:
        """See ``Architecture``."""
        return FlatParameters(self.policy, decays=lambda _: False)

    def selection(self, noise: Noise | None, num_groups: int, course: Course) -> Selection:
        """See ``Architecture``."""
        return self.policy.relaxed(self.relaxation(course), noise, num_groups)

    def entropy(self) -> Tensor:
        """See ``Architecture``."""
        return self.policy.entropy()

    def best(self, weights: SharedWeights) -> list[Route]:
        """The most probable choices."""
        return self.policy.best()

    def drawn(self, weights: SharedWeights, count: int) -> list[list[Route]]:
        """Choices drawn with their probabilities."""
        return self.policy.routes(self.policy.sample(weights.noise, count).selection)


def falling(start: Tensor, end: Tensor, share: float) -> Tensor:
    """From ``start`` to ``end`` geometrically, ``share`` of the way."""
    return start * (end / start) ** share
