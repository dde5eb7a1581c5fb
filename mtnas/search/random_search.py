"""Random search: candidates drawn from the space, the baseline every searcher must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtnas.search.history import History
from mtnas.search.proposals import Proposals
from mtnas.search.searcher import SampledSearcher


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSearcher(SampledSearcher):
    """Routes and settings at random, without repeats (Bergstra and Bengio, 2012; Li and Talwalkar, 2019)."""

    def propose(self, history: History, proposals: Proposals, rng: np.random.Generator) -> None:
        """Leave everything to the random filling."""
