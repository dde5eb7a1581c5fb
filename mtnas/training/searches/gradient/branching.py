"""Learning to Branch and BMTAS: one choice per junction, drawn by Gumbel-softmax, under the tree's expected cost.

Guo, Lee and Ulbricht, ICML 2020, https://arxiv.org/abs/2006.01895, eq. 3-5 (every child samples its parent);
Bruggemann et al., BMVC 2020, https://arxiv.org/abs/2008.10292, section 3.3 (the expected cost of the branching).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtnas.search.specs.gradient_specs import BranchingSearch
from mtnas.spaces import SearchSpace
from mtnas.training.searches.expected_use import ExpectedUse
from mtnas.training.searches.gradient.architecture import Course
from mtnas.training.searches.gradient.relaxed_architecture import RelaxedArchitecture, falling
from mtnas.training.searches.relaxation import Relaxation


class Branching(RelaxedArchitecture[BranchingSearch]):
    """Every junction draws one of its mixes; in a space of one input per junction that is a parent."""

    def __init__(
        self, space: SearchSpace, searches: Sequence[BranchingSearch], device: torch.device, dtype: torch.dtype
    ) -> None:
        """See ``Architecture``."""
        super().__init__(space, searches, device, dtype)
        assert space.inputs is not None
        self._use = ExpectedUse(space.graph, space.inputs, device, dtype=dtype)

    def relaxation(self, course: Course) -> Relaxation:
        """Straight-through at a falling temperature."""
        temperature = falling(self.number("temperature"), self.number("temperature_floor"), course.learned)
        return Relaxation(temperature=temperature, noisy=True, hard=True)

    def terms(self, course: Course) -> Tensor:
        """The expected share of the supernet's parameters that the tasks use together."""
        return self.number("cost") * self._use.of_parameters(self.expected())
