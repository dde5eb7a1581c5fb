"""What all searches over shared weights have in common: their course, their proposals, their state.

Legend: K pack, G route groups along a batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from mtnas.routes import Route, canonical_route
from mtnas.search.budgets.passes import Passes
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection
from mtnas.training.measuring.evaluate import of_candidate
from mtnas.training.pack_state import STEP
from mtnas.training.searches.shared_supernet import SharedWeights, equal_groups
from mtnas.training.seeds import derived_seed

PASSES = "passes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How the search stands: steps, and how undecided each search is, ``[K]`` in nats."""

    step: int
    total_steps: int
    entropy: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A route the search proposes, with its metrics under the shared (inherited) weights on ``search``."""

    route: Route
    derived: bool
    inherited: Mapping[str, Mapping[str, float]]


class SupernetSearch(ABC):
    """K searches of one space in one pack; subclasses say how a step goes and what is best."""

    def __init__(self, space: SearchSpace, weights: SharedWeights, search: SharedWeightsSearch) -> None:
        """Begin.

        Args:
            space: where to search.
            weights: what the routes share.
            search: how many routes a step has, and how many of them are drawn at random from the space.
        """
        self.space, self.weights = replace(space, inputs=weights.net.inputs), weights
        self.net, self.tasks, self.data = weights.net, weights.tasks, weights.data
        self._routes_per_step, self._co_training = search.routes_per_step, search.co_training
        self._step = 0

    @property
    def total_steps(self) -> int:
        """Weight steps of the whole search."""
        return self.weights.total_steps

    @property
    def step(self) -> int:
        """Weight steps taken so far."""
        return self._step

    @property
    def num_networks(self) -> int:
        """Networks that take a step together."""
        return len(self.weights.seeds)

    @property
    def candidate_steps(self) -> float:
        """What the searches are charged so far, all networks together: every pass (``mtnas.search.budgets.passes``)."""
        return (self.weights.passes * self.num_networks).candidate_steps(self.weights.step_rows)

    def run(self) -> Iterator[Pulse]:
        """Search to the end, from wherever the state is; a pulse every twentieth of the way."""
        every = max(1, self.total_steps // 20)
        for _ in self.steps():
            if self._step % every == 0 or self._step == self.total_steps:
                entropy = self.entropy().detach().cpu()
                yield Pulse(step=self._step, total_steps=self.total_steps, entropy=entropy)

    def steps(self) -> Iterator[None]:
        """Search to the end, one step of the weights, and of whatever else learns, at a time."""
        for step, batch in self.weights.batches(self._step):
            num_groups = equal_groups(batch.num_rows, self._routes_per_step)
            with torch.no_grad():
                selection = self._explored(self.sample(num_groups, step=step), num_groups, step=step)
            self.weights.learn(batch, selection, step=step)
            self.search_step(step)
            self._step = step + 1
            yield

    @abstractmethod
    def sample(self, num_groups: int, *, step: int) -> Selection:
        """Routes for a step of the weights."""

    @abstractmethod
    def search_step(self, step: int) -> None:
        """Whatever else learns, after the weights' step."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """How undecided every search is, ``[K]`` in nats."""

    @abstractmethod
    def candidates(self, count: int) -> list[list[Route]]:
        """Per search the derived route, then ``count`` others that it thinks well of; some may be equal."""

    def own_state(self) -> dict[str, Tensor]:
        """What a later run needs beside the weights and the step."""
        return {}

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027 (some searches have none)
        """Go on from :meth:`own_state`, at the step that is already set; other entries are left alone."""

    def in_supernet(self, route: Route) -> Route:
        """How the supernet spells a route of the space."""
        return route

    def proposals(self, num_samples: int) -> list[list[Proposal]]:
        """Per search: the derived route first, then other distinct ones.

        Metrics are those of the shared weights on the whole ``search`` part. Routes that break a constraint of the
        space are left out, the derived one included; where that leaves none, routes are drawn from the space. A search
        whose weights diverged proposes nothing.
        """
        self.weights.noise.at_step(self.total_steps)
        with torch.no_grad():
            ordered = self.candidates(max(num_samples, 1))
        distinct = [
            self._distinct(routes)[: num_samples + 1] or self._from_space(seed, max(num_samples, 1))
            for routes, seed in zip(ordered, self.weights.seeds, strict=True)
        ]
        proposals: list[list[Proposal]] = [[] for _ in distinct]
        for index in range(max(len(routes) for routes in distinct)):
            row = [routes[min(index, len(routes) - 1)] for routes in distinct]
            metrics = self.weights.inherited([self.in_supernet(route) for route, _ in row])
            for k, (route, derived) in enumerate(row):
                found = of_candidate(metrics, k)
                sound = all(isfinite(value) for of_task in found.values() for value in of_task.values())
                if index < len(distinct[k]) and sound:
                    proposals[k].append(Proposal(route=route, derived=derived, inherited=found))
        return proposals

    def state(self) -> dict[str, Tensor]:
        """All that a later run needs to go on exactly from here."""
        passes = self.weights.passes
        course = {STEP: torch.tensor(self._step), PASSES: torch.tensor([passes.forward, passes.backward])}
        return self.weights.state() | self.own_state() | course

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same search."""
        self.weights.load_state(state)
        self._step, self.weights.passes = int(state[STEP]), passes_in(state)
        self.load_own_state(state)

    def _explored(self, selection: Selection, num_groups: int, *, step: int) -> Selection:
        """The selection with the last of its route groups drawn from the whole space (co-training)."""
        count = round(self._co_training * num_groups)
        if count == 0:
            return selection
        rows = []
        for seed in self.weights.seeds:
            rng = np.random.default_rng(derived_seed("co-training", seed, step))
            rows.append([self.in_supernet(self.space.sample(rng)) for _ in range(count)])
        return joined(selection, self.weights.hard(rows), kept=num_groups - count)

    def _distinct(self, routes: Sequence[Route]) -> list[tuple[Route, bool]]:
        kept: dict[str, tuple[Route, bool]] = {}
        for position, route in enumerate(routes):
            canonical = canonical_route(self.space.graph, route)
            if self.space.contains(canonical) and canonical.text not in kept:
                # The weights belong to the spelling that was drawn: evaluate that one, not its canonical twin.
                kept[canonical.text] = (route, position == 0)
        return list(kept.values())

    def _from_space(self, seed: int, count: int) -> list[tuple[Route, bool]]:
        """Routes that keep to the constraints, for a search that draws none."""
        rng = np.random.default_rng(derived_seed("proposals", seed))
        return [(route, False) for route, _ in self._distinct([self.space.sample(rng) for _ in range(count)])]


def passes_in(state: Mapping[str, Tensor]) -> Passes:
    """The passes that a search had made when it was in this state."""
    forward, backward = state[PASSES].tolist()
    return Passes(forward=forward, backward=backward)


def joined(first: Selection, last: Selection, *, kept: int) -> Selection:
    """The leading ``kept`` route groups of one selection, then all of another; settings are the first's.

    A first selection of one group stands for as many groups as are kept.
    """

    def both(one: Tensor, two: Tensor) -> Tensor:
        leading = one[:, :kept] if one.shape[1] > 1 else one.expand(-1, kept, -1)
        return torch.cat((leading, two), dim=1)

    stops = [s.edges.new_zeros(s.edges.shape) if s.forward_only is None else s.forward_only for s in (first, last)]
    return Selection(
        edges=both(first.edges, last.edges),
        gates=both(first.gates, last.gates),
        queries=both(first.queries, last.queries),
        blocks=both(first.blocks, last.blocks),
        forward_only=None if first.forward_only is None and last.forward_only is None else both(*stops),
        settings=first.settings,
    )
