"""One-shot search: fair paths through one supernet, then evolution over routes that are judged by its weights.

The shared weights are a cheap fidelity: a route costs one pass over ``search`` instead of a training. Bender et al.,
ICML 2018; Guo et al., ECCV 2020, https://arxiv.org/abs/1904.00420, sections 3.2-3.4; fairness: Chu et al., ICCV 2021,
https://arxiv.org/abs/1907.01845. Evolution is the sampled one (``mtnas.search.evolution``), told of these scores.

Legend: K pack, G route groups along a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mtnas.routes import Route
from mtnas.search.evolution import EvolutionSearcher
from mtnas.search.shared_weights import OneShotSearch
from mtnas.supernets import Selection
from mtnas.tasks import Direction, Objective
from mtnas.training.evaluate import label_scales, score
from mtnas.training.policy import RoutePolicy
from mtnas.training.seeds import derived_seed
from mtnas.training.shared_weights import Ground, SharedWeights
from mtnas.training.supernet_search import SupernetSearch
from mtnas.trials import Candidate, Trial, TrialState

_SCORE = "score"


class OneShotSearcher(SupernetSearch):
    """K supernets in one pack; when they are trained, K evolutions go on side by side."""

    def __init__(self, ground: Ground, searches: Sequence[OneShotSearch]) -> None:
        """Build the supernets.

        Args:
            ground: what to search on.
            searches: settings of the evolution; the first's for all.
        """
        self.search = searches[0]
        super().__init__(ground.space, SharedWeights(ground), self.search)
        self._paths = RoutePolicy(ground.space, len(searches), ground.data.device, dtype=ground.dtype)
        self._scales = label_scales(ground.data, ground.tasks, ("train",))

    def sample(self, num_groups: int, *, step: int) -> Selection:
        """See ``SupernetSearch``: fair paths."""
        return self._paths.fair(self.weights.noise, step * num_groups, num_groups, self.weights.seeds)

    def search_step(self, step: int) -> None:
        """Nothing learns but the weights."""

    def entropy(self) -> Tensor:
        """Of fair paths, which stay as undecided as they are."""
        return self._paths.entropy()

    def candidates(self, count: int) -> list[list[Route]]:
        """The routes that its evolution tried, by their scores."""
        searchers = [
            EvolutionSearcher(
                space=self.space,
                objectives=(Objective(metric=_SCORE, direction=Direction.MAX),),
                seed=derived_seed("one-shot evolution", seed) % 2**31,
                population=self.search.population,
                tournament=self.search.tournament,
            )
            for seed in self.weights.seeds
        ]
        trials: list[list[Trial]] = [[] for _ in searchers]
        tried = 0
        while tried < self.search.evaluations:
            wanted = min(self.search.population, self.search.evaluations - tried)
            asked = [searcher.ask(done, wanted) for searcher, done in zip(searchers, trials, strict=True)]
            if not all(asked):
                break  # a small space is exhausted
            tried += max(map(len, asked))
            for place in range(max(map(len, asked))):
                row = [of_search[min(place, len(of_search) - 1)] for of_search in asked]
                scores = self._scores([candidate.route for candidate in row]).tolist()
                for k, candidate in enumerate(row):
                    if place < len(asked[k]):
                        trials[k].append(_trial(len(trials[k]), candidate, scores[k]))
        return [
            [trial.candidate.route for trial in sorted(done, key=lambda trial: -trial.values[_SCORE])]
            for done in trials
        ]

    def _scores(self, routes: Sequence[Route]) -> Tensor:
        """``[K]``; a supernet that diverged finds every route equally bad."""
        found = score(self.tasks, self.weights.inherited(routes), self._scales)
        return torch.where(found.isfinite(), found, torch.finfo(found.dtype).min).cpu()


def _trial(number: int, candidate: Candidate, found: float) -> Trial:
    trial = Trial(number=number, phase="search", label="inherited", candidate=candidate, state=TrialState.COMPLETE)
    return replace(trial, values={_SCORE: found})
