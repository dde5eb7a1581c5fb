"""AutoMTL (DESAN): softmax mixtures of operations and experts, fixed step by step where they are surest.

"Automatic Multi-Task Learning Framework with Neural Architecture Search in Recommendations", KDD 2024; METHODS.md
section 7: in every round the mixed operations of lowest entropy, as a share of what it can be at most, are fixed, and
the others go on learning beside them, so that the supernet ends as one route. With an architecture split of its own,
where the public code has none.

Legend: K pack, N choices of all junctions and slots, C alternatives of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, log

import torch
import torch.nn.functional as F
from torch import Tensor

from mtnas.search.specs.gradient_specs import AutomtlSearch
from mtnas.training.searches.choices import entropy_of
from mtnas.training.searches.coin_choices import CoinChoices
from mtnas.training.searches.gradient.architecture import Course
from mtnas.training.searches.gradient.relaxed_architecture import RelaxedArchitecture
from mtnas.training.searches.relaxation import CERTAIN, Relaxation


class AutoMtl(RelaxedArchitecture[AutomtlSearch]):
    """Mixtures that become one route, choice by choice."""

    def relaxation(self, course: Course) -> Relaxation:
        """Softmax."""
        return Relaxation(temperature=self.number("temperature"), noisy=False, hard=False)

    def can_settle(self, course: Course) -> bool:
        """Not before the last round, which leaves nothing undecided."""
        return self.search.roundings == 0

    def advance(self, course: Course) -> None:
        """At the end of every round, fix the choices of lowest entropy."""
        rounds, learning = self.search.roundings, course.total_steps - course.warm
        ends = [course.warm + ceil(learning * (number + 1) / rounds) for number in range(rounds)]
        if course.step not in ends:
            return
        found = list(self._logits())
        # Divided by ln C, so that a choice between many does not look less sure for having many alternatives.
        entropy_KN = torch.cat([entropy_of(logits) / log(logits.shape[-1]) for logits in found], dim=1)
        wanted = ceil(entropy_KN.shape[1] * (ends.index(course.step) + 1) / rounds)
        # Fixed ones have entropy 0 and come first again.
        order_KN = entropy_KN.argsort(dim=1, stable=True).argsort(dim=1)
        fixed_KN = order_KN < wanted
        begin = 0
        for logits in found:
            end = begin + logits.shape[1]
            surest = F.one_hot(logits.argmax(-1), logits.shape[-1]) * CERTAIN
            logits.copy_(torch.where(fixed_KN[:, begin:end, None], surest, logits))
            begin = end
        self._write_coins()

    def _logits(self) -> Iterator[Tensor]:
        """Views ``[K, N, C]`` of every group of choices that has alternatives; coins are written back afterwards."""
        self._coins: list[tuple[CoinChoices, Tensor]] = []
        for part in self.policy.parts:
            if isinstance(part, CoinChoices):
                up = part.edge_logits.detach().flatten(1)
                pair = torch.stack((torch.zeros_like(up), up), dim=-1)
                self._coins.append((part, pair))
                yield pair
            logits = part.logits.data  # type: ignore[attr-defined]
            if logits.shape[-1] > 1:
                yield logits

    def _write_coins(self) -> None:
        for part, pair in self._coins:
            part.edge_logits.data.copy_((pair[..., 1] - pair[..., 0]).view_as(part.edge_logits))
