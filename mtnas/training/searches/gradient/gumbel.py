"""Gumbel-Matrix: tasks and components meet by coins, thrown anew at every step (Maziarz et al., 2019,
https://arxiv.org/abs/1910.04915, sections 3.1-3.3; METHODS.md section 3).

Differences: logits learn on rows of their own (METHODS.md section 9); a route has at least one component per task and
layer, where the paper lets a layer give zeros; the budget counts the slots that a task is expected to reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

import torch
from torch import Tensor

from mtnas.search.specs.gradient_specs import GumbelSearch
from mtnas.spaces import SearchSpace
from mtnas.training.searches.coin_choices import CoinChoices
from mtnas.training.searches.expected_use import ExpectedUse
from mtnas.training.searches.gradient.architecture import Course
from mtnas.training.searches.gradient.relaxed_architecture import RelaxedArchitecture
from mtnas.training.searches.relaxation import Relaxation


class GumbelMatrix(RelaxedArchitecture[GumbelSearch]):
    """A coin per connection; manners of mixing and blocks are multinomials, relaxed alike."""

    multinomial_inputs = 1

    def __init__(
        self, space: SearchSpace, searches: Sequence[GumbelSearch], device: torch.device, dtype: torch.dtype
    ) -> None:
        """Coins come up with the probability ``initial`` at the start."""
        super().__init__(space, searches, device, dtype)
        assert space.inputs is not None
        self._use = ExpectedUse(space.graph, space.inputs, device, dtype=dtype)
        with torch.no_grad():
            for part in self.policy.coins:
                assert isinstance(part, CoinChoices)
                part.edge_logits.fill_(log(self.search.initial / (1 - self.search.initial)))

    def relaxation(self, course: Course) -> Relaxation:
        """Straight-through, colder with every update of a task that the logits have learned from."""
        updates = max(course.step - course.warm, 0) * len(self.space.graph.tasks)
        cooled = self.number("temperature") / sqrt(updates + 1)
        return Relaxation(temperature=cooled.maximum(self.number("temperature_floor")), noisy=True, hard=True)

    def terms(self, course: Course) -> Tensor:
        """What tasks use beyond their budget, and the entropy of the coins."""
        excess_KT = (self._use.of_each_task(self.expected()) - self.number("budget")[:, None]).clamp(min=0)
        ramp: float = course.learned**self.search.entropy_power
        weight = self.number("entropy") * ramp
        return self.number("budget_weight") * excess_KT.sum(1) + weight * self.policy.entropy()
