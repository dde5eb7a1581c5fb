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

from mtnas.errors import SpaceError
from mtnas.routes import Route, canonical_route
from mtnas.search.budgets.passes import Passes
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.spaces import SearchSpace, mutate, within
from mtnas.supernets import Selection
from mtnas.training.measuring.evaluate import of_candidate
from mtnas.training.pack_state import STEP
from mtnas.training.searches.shared_supernet import SharedWeights, equal_groups
from mtnas.training.seeds import derived_seed

PASSES = "passes"
ENTROPIES = "entropies"

_DECIDED = 0.02  # of the largest entropy that a search had: too little is open to change the route
_STILL, _STILL_FOR = 0.005, 4  # of the same, over so many pulses: nothing moves any more
_OVER = object()
_TOP_UPS = 8  # mutations tried for every drawn route that broke a limit

DERIVED, SAMPLED, KNOWN = "derived", "sampled", "known:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How the search stands: steps, and how undecided each search is, ``[K]`` in nats."""

    step: int
    total_steps: int
    entropy: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A route the search proposes, with its metrics under the shared (inherited) weights on ``search``.

    Attributes:
        origin: ``derived``, ``sampled``, or ``known:`` and the name of a scheme.
    """

    route: Route
    origin: str
    inherited: Mapping[str, Mapping[str, float]]

    @property
    def derived(self) -> bool:
        """Whether this is what the search stands for, and not just something near it."""
        return self.origin == DERIVED


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
        self._step, self._settles = 0, search.settle
        self._entropies: list[Tensor] = []

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

    @property
    def entropies(self) -> Tensor:
        """How undecided every search was at the start and at every pulse so far, ``[pulses + 1, K]`` in nats."""
        return torch.stack(self._entropies)

    @property
    def is_settled(self) -> bool:
        """Whether no search has anything left to decide: it was seen at the last pulse, and the state tells it."""
        if not self._settles or not self.can_settle or len(self._entropies) <= _STILL_FOR:
            return False
        seen = self.entropies
        most_K, recent = seen.amax(0), seen[-_STILL_FOR:]
        decided_K = seen[-1] <= _DECIDED * most_K
        still_K = (recent.amax(0) - recent.amin(0) <= _STILL * most_K) & (seen[-1] < 0.5 * most_K)
        return bool((decided_K | still_K).all())

    @property
    def can_settle(self) -> bool:
        """Whether entropy tells what is left to decide, at the present step."""
        return True

    def run(self) -> Iterator[Pulse]:
        """Search until nothing is left to decide or the steps are over, from wherever the state is.

        There is a pulse every twentieth of the way.
        """
        every = max(1, self.total_steps // 20)
        if not self._entropies:
            self._entropies.append(self.entropy().detach().cpu())
        steps = self.steps()
        while not self.is_settled and next(steps, _OVER) is not _OVER:
            if self._step % every == 0 or self._step == self.total_steps:
                entropy = self.entropy().detach().cpu()
                self._entropies.append(entropy)
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

    def proposals(self, num_samples: int, known: Mapping[str, Route] | None = None) -> list[list[Proposal]]:
        """Per search: the derived route first, then other distinct ones; with the first search's, the known schemes.

        Metrics are those of the shared weights on the whole ``search`` part. A derived route that breaks a limit of the
        space is brought within it (``mtnas.spaces.within``); others that do are left out, and mutations of the derived
        one take their places. A search whose weights diverged proposes nothing.
        """
        self.weights.noise.at_step(self.total_steps)
        with torch.no_grad():
            ordered = self.candidates(max(num_samples, 1))
        distinct = [
            self._legal(routes, seed, num_samples + 1) for routes, seed in zip(ordered, self.weights.seeds, strict=True)
        ]
        if known:
            distinct[0] = self._distinct([*distinct[0], *((route, name) for name, route in known.items())])
        proposals: list[list[Proposal]] = [[] for _ in distinct]
        for index in range(max(len(routes) for routes in distinct)):
            row = [routes[min(index, len(routes) - 1)] for routes in distinct]
            metrics = self.weights.inherited([self.in_supernet(route) for route, _ in row])
            for k, (route, origin) in enumerate(row):
                found = of_candidate(metrics, k)
                sound = all(isfinite(value) for of_task in found.values() for value in of_task.values())
                if index < len(distinct[k]) and sound:
                    proposals[k].append(Proposal(route=route, origin=origin, inherited=found))
        return proposals

    def yardstick(self, count: int) -> list[Mapping[str, Mapping[str, float]]]:
        """Metrics of so many random routes of the space under the first search's weights, as for proposals."""
        rng = np.random.default_rng(derived_seed("yardstick", self.weights.seeds[0]))
        routes = [self.in_supernet(self.space.sample(rng)) for _ in range(count)]
        return [of_candidate(self.weights.inherited([route] * self.num_networks), 0) for route in routes]

    def state(self) -> dict[str, Tensor]:
        """All that a later run needs to go on exactly from here."""
        passes = self.weights.passes
        course = {STEP: torch.tensor(self._step), PASSES: torch.tensor([passes.forward, passes.backward])}
        if self._entropies:
            course |= {ENTROPIES: self.entropies}
        return self.weights.state() | self.own_state() | course

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same search."""
        self.weights.load_state(state)
        self._step, self.weights.passes = int(state[STEP]), passes_in(state)
        self._entropies = list(state[ENTROPIES]) if ENTROPIES in state else []
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

    def _distinct(self, routes: Sequence[tuple[Route, str]]) -> list[tuple[Route, str]]:
        """Those within the space, each once, under the first origin that it has."""
        kept: dict[str, tuple[Route, str]] = {}
        for route, origin in routes:
            canonical = canonical_route(self.space.graph, route)
            if self.space.contains(canonical) and canonical.text not in kept:
                # The weights belong to the spelling that was drawn: evaluate that one, not its canonical twin.
                kept[canonical.text] = (route, origin)
        return list(kept.values())

    def _legal(self, routes: Sequence[Route], seed: int, count: int) -> list[tuple[Route, str]]:
        """At most so many of a search's routes, the derived one brought within the limits of the space."""
        rng = np.random.default_rng(derived_seed("proposals", seed))
        best = within(self.space, routes[0], rng)
        drawn = [(best, DERIVED), *((route, SAMPLED) for route in routes[1:])]
        found = self._distinct(drawn)
        broke = sum(not self.space.contains(route) for route in routes[1:])
        for _ in range(_TOP_UPS * broke):
            if len(found) >= min(count, 1 + broke):
                break
            try:
                found = self._distinct([*found, (mutate(self.space, best, rng), SAMPLED)])
            except SpaceError:  # nothing else is near by
                break
        return found[:count]


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
