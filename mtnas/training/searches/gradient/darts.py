"""DARTS: softmax mixtures of all choices, by first-order bilevel steps (Liu, Simonyan and Yang, ICLR 2019,
https://arxiv.org/abs/1806.09055, eq. 2 and algorithm 1 with xi = 0).

Where the paper mixes operations, we mix whole mixes of a junction (up to six inputs) or coins per edge (above), and
the blocks of a slot.
"""

from __future__ import annotations

from torch import Tensor

from mtnas.search.specs.gradient_specs import DartsSearch
from mtnas.training.searches.gradient.architecture import Course
from mtnas.training.searches.gradient.relaxed_architecture import RelaxedArchitecture
from mtnas.training.searches.relaxation import Relaxation


class Darts(RelaxedArchitecture[DartsSearch]):
    """Every choice in proportion to its probability; nothing is drawn."""

    def relaxation(self, course: Course) -> Relaxation:
        """Softmax."""
        return Relaxation(temperature=self.number("temperature"), noisy=False, hard=False)

    def terms(self, course: Course) -> Tensor:
        """Entropy, weighed more and more, so that the mixture comes close to one route."""
        return self.number("entropy") * course.learned * self.policy.entropy()
