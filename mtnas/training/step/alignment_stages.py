"""The two stages of covariance alignment: first the network without the matrices, then matrices and towers alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mtnas.training.step.flat import FlatParameters
from mtnas.training_options import AlignmentSpec

_ALIGNED = "alignment"
_SECOND = frozenset({"alignment", "tower_groups", "small_towers"})


class AlignmentStages:
    """Holds still what a stage does not train (METHODS.md section 5).

    Stage one trains everything but the matrices, which stay the identity. Stage two, the last ``share`` of the steps,
    trains the matrices R_i and the towers A_i jointly and fixes the shared part B.
    """

    def __init__(self, flat: FlatParameters, settings: AlignmentSpec, *, total_steps: int) -> None:
        self._flat = flat
        self.first_steps = total_steps - max(1, round(settings.share * total_steps))
        words = [slot.name.removeprefix("net.").split(".")[0] for slot in flat.slots]
        stretches = [(slot.offset, slot.offset + slot.shape.numel()) for slot in flat.slots]
        self._still = {
            1: [stretch for word, stretch in zip(words, stretches, strict=True) if word == _ALIGNED],
            2: [stretch for word, stretch in zip(words, stretches, strict=True) if word not in _SECOND],
        }

    @contextmanager
    def holding(self, step: int) -> Iterator[None]:
        """Undo what an optimiser's step does to weights that the stage of ``step`` does not train.

        Zero gradients would not do: the optimiser's momentum and decay go on.
        """
        still = self._still[1 if step < self.first_steps else 2]
        kept = [self._flat.weights[:, begin:end].clone() for begin, end in still]
        yield
        with torch.no_grad():
            for (begin, end), weights in zip(still, kept, strict=True):
                self._flat.weights[:, begin:end] = weights
