"""AdaShare: every task selects or skips every block, and learns to from the top of the network down (Sun et al.,
NeurIPS 2020, https://arxiv.org/abs/1911.12423, eq. 2-5).

Legend: K pack, S slots with something to skip, A pairs of tasks at one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil

import torch
from torch import Tensor

from mtnas.routes import BlockKind, Slot
from mtnas.search.specs.fitness import may_skip
from mtnas.search.specs.gradient_specs import AdashareSearch
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout
from mtnas.training.searches.choices import BlockChoices
from mtnas.training.searches.gradient.architecture import Course
from mtnas.training.searches.gradient.relaxed_architecture import RelaxedArchitecture, falling
from mtnas.training.searches.relaxation import CERTAIN, Relaxation


class AdaShare(RelaxedArchitecture[AdashareSearch]):
    """Select or skip by Gumbel-softmax, under terms for sparsity and sharing, with a curriculum over depth."""

    def __init__(
        self, space: SearchSpace, searches: Sequence[AdashareSearch], device: torch.device, dtype: torch.dtype
    ) -> None:
        """All blocks but the topmost are executed at the start."""
        super().__init__(space, searches, device, dtype)
        slots = [slot for slot in space.graph.slots if may_skip(slot)]
        layout = Layout.of(space.graph)
        skip_at = [next(b for b in s.choices if b.kind is BlockKind.IDENTITY).text for s in slots]
        places = [layout.blocks[slot.name, text] for slot, text in zip(slots, skip_at, strict=True)]
        self._skip_at = torch.tensor(places, device=device)
        levels = sorted({slot.layer for slot in slots})
        self._levels = levels
        pairs = [
            (first, second, 1 - levels.index(one.layer) / len(levels))
            for (first, one), (second, other) in combinations(enumerate(slots), 2)
            if one.weights_of == other.weights_of
        ]
        self._first = torch.tensor([first for first, _, _ in pairs], dtype=torch.long, device=device)
        self._second = torch.tensor([second for _, second, _ in pairs], dtype=torch.long, device=device)
        self._lowness_A = torch.tensor([lowness for _, _, lowness in pairs], device=device, dtype=dtype)
        with torch.no_grad():
            for part, position in self._skipped_below(self._levels[-1]):
                part.logits[:, position] = 0
                part.logits[:, position, _executed(part.slots[position])] = CERTAIN

    def relaxation(self, course: Course) -> Relaxation:
        """Straight-through at a falling temperature."""
        temperature = falling(self.number("temperature"), self.number("temperature_floor"), course.learned)
        return Relaxation(temperature=temperature, noisy=True, hard=True)

    def terms(self, course: Course) -> Tensor:
        """Sparsity: mean log-probability of execution. Sharing: mean distance of two tasks' probabilities at a block.

        Lower blocks weigh more in the second.
        """
        executed_KS = 1 - self.expected().blocks[:, 0, self._skip_at]
        sparsity_K = executed_KS.clamp(min=1e-6).log().mean(1)
        if not len(self._first):
            return self.number("sparsity") * sparsity_K
        distance_KA = (executed_KS[:, self._first] - executed_KS[:, self._second]).abs()
        sharing_K = (distance_KA * self._lowness_A).sum(1) / self._lowness_A.sum()
        return self.number("sparsity") * sparsity_K + self.number("sharing") * sharing_K

    def can_settle(self, course: Course) -> bool:
        """Not before all blocks are open to the policy."""
        return course.learned > self.search.curriculum

    def advance(self, course: Course) -> None:
        """Open blocks to the policy, from the top down; what is opened begins undecided."""
        share = 1.0 if self.search.curriculum == 0 else min(course.learned / self.search.curriculum, 1.0)
        num_open = max(1, ceil(share * len(self._levels)))
        lowest = self._levels[-num_open]
        closed = {(id(part), position) for part, position in self._skipped_below(lowest)}
        for part, position in self._skipped_below(self._levels[-1]):
            if (id(part), position) not in closed:
                logits = part.logits[:, position]
                is_closed = logits.amax(-1, keepdim=True) > CERTAIN / 2
                part.logits[:, position] = torch.where(is_closed, 0.0, logits)

    def _skipped_below(self, level: int) -> list[tuple[BlockChoices, int]]:
        """Choices between executing and skipping in layers below this one."""
        found = []
        for part in self.policy.blocks:
            assert isinstance(part, BlockChoices)
            found += [(part, at) for at, slot in enumerate(part.slots) if may_skip(slot) and slot.layer < level]
        return found


def _executed(slot: Slot) -> int:
    """The first choice that is no identity."""
    return next(index for index, block in enumerate(slot.choices) if block.kind is not BlockKind.IDENTITY)
