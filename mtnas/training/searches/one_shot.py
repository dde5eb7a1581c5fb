"""One-shot search: fair paths through one supernet, then evolution over routes that are judged by its weights.

The shared weights are a cheap fidelity: a route costs one pass over ``search`` instead of a training. Bender et al.,
ICML 2018; Guo et al., ECCV 2020, https://arxiv.org/abs/1904.00420, sections 3.2-3.4; fairness: Chu et al., ICCV 2021,
https://arxiv.org/abs/1907.01845. Evolution is the sampled one (``mtnas.search.evolution``): told of the job's
objectives, gains and metrics under the shared weights beside costs in closed form, it looks for a front (Guo et al.
limit costs instead, which the space's constraints do here too).

Legend: K pack, G route groups along a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from mtnas.routes import Route
from mtnas.search.evolution import EvolutionSearcher
from mtnas.search.fronts.pareto import best_first
from mtnas.search.history import signed_values
from mtnas.search.specs.supernet_specs import OneShotSearch
from mtnas.supernets import Selection
from mtnas.tasks import Direction, Objective
from mtnas.training.measuring.evaluate import label_scales, of_candidate, score
from mtnas.training.measuring.gains import figures
from mtnas.training.searches.aim import Aim
from mtnas.training.searches.policy import RoutePolicy
from mtnas.training.searches.shared_supernet import Ground, SharedWeights
from mtnas.training.searches.supernet_search import SupernetSearch
from mtnas.training.seeds import derived_seed
from mtnas.training.step.counted_draws import keys
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
        self._keys_K = keys([derived_seed("fair", seed) for seed in self.weights.seeds], ground.data.device)
        self._scales = label_scales(ground.data, ground.tasks, ("train",))
        self._aim = ground.aim or Aim(objectives=(Objective(metric=_SCORE, direction=Direction.MAX),), reference={})

    def sample(self, num_groups: int, *, step: int) -> Selection:
        """See ``SupernetSearch``: fair paths."""
        return self._paths.fair(self.weights.noise, step * num_groups, num_groups, self._keys_K)

    def search_step(self, step: int) -> None:
        """Nothing learns but the weights."""

    def entropy(self) -> Tensor:
        """Of fair paths, which stay as undecided as they are."""
        return self._paths.entropy()

    def candidates(self, count: int) -> list[list[Route]]:
        """The routes that its evolution tried: the front's best on the first objective, then front after front."""
        searchers = [
            EvolutionSearcher(
                space=self.space,
                objectives=self._aim.objectives,
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
                values = self._values([candidate.route for candidate in row])
                for k, candidate in enumerate(row):
                    if place < len(asked[k]):
                        trials[k].append(_trial(len(trials[k]), candidate, values[k]))
        return [[trial.candidate.route for trial in _in_order(done, self._aim.objectives)] for done in trials]

    def _values(self, routes: Sequence[Route]) -> list[dict[str, float]]:
        """Per search what its route is worth; NaN, which counts as worst, from a supernet that diverged."""
        metrics = self.weights.inherited(routes)
        if not self._aim.reference:
            return [{_SCORE: value} for value in score(self.tasks, metrics, self._scales).tolist()]
        found = []
        for k, route in enumerate(routes):
            cost = self.space.cost(route)
            closed = {"num_params": float(cost.num_params), "macs": float(cost.macs)}
            found.append(figures(self.tasks, of_candidate(metrics, k), self._aim.reference) | closed)
        return found


def _trial(number: int, candidate: Candidate, values: Mapping[str, float]) -> Trial:
    return Trial(
        number=number,
        phase="search",
        label="inherited",
        candidate=candidate,
        state=TrialState.COMPLETE,
        values=values,
    )


def _in_order(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The front's best on the first objective, then all others by front, the less crowded first."""
    values = np.array([signed_values(trial, objectives) for trial in trials], dtype=np.float64)
    order = [int(place) for place in best_first(values)]
    first = max(order, key=lambda place: values[place, 0])
    return [trials[first], *(trials[place] for place in order if place != first)]
