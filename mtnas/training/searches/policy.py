"""The policy of a sampled search: a distribution over a space's routes, for K searches at once.

Up to six inputs, a junction's mix (active set, gate, query) is one multinomial; above, every edge is a coin of its own,
within the limits on their number, and the manner of mixing a multinomial (DESIGN.md, search decisions). Slots with
several blocks have a multinomial each.

Legend: K pack, G route groups, E/A/Q/X flat positions of a Layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtnas.routes import Block, GateKind, Junction, Mix, Route, Slot
from mtnas.routes.nodes import EdgeState
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout, Selection
from mtnas.training.searches.choices import BlockChoices, Choices, MixChoices, Target
from mtnas.training.searches.coin_choices import CoinChoices
from mtnas.training.searches.relaxation import Relaxation
from mtnas.training.searches.route_prior import EdgePrior
from mtnas.training.step.counted_draws import words
from mtnas.training.step.noise import Noise

MULTINOMIAL_INPUTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Routes drawn from a policy.

    Attributes:
        selection: the routes ``[K, G]``.
        log_prob: ``[K, G]``, with gradients to the policy.
    """

    selection: Selection
    log_prob: Tensor


class RoutePolicy(nn.Module):
    """Independent distributions over every junction's mix and every slot's block; uniform at the start.

    Attributes:
        given: junctions and slots with one alternative: no choice, nothing to draw and nothing to learn.
    """

    def __init__(
        self,
        space: SearchSpace,
        num_searches: int,
        device: torch.device,
        *,
        dtype: torch.dtype = torch.float32,
        multinomial_inputs: int = MULTINOMIAL_INPUTS,
    ) -> None:
        """Make the policies of K searches.

        Args:
            space: whose routes to draw; constraints on cost are not part of the distribution.
            num_searches: K.
            device: where to draw.
            dtype: type of the logits and of the selections.
            multinomial_inputs: most inputs of a junction whose mixes are one multinomial; those that take a single
                input always are.
        """
        super().__init__()
        self.space = space
        self.layout = Layout.of(space.graph)
        self.num_searches = num_searches
        self.device, self.dtype = device, dtype
        mixes: list[MixChoices] = []
        coins: list[CoinChoices] = []
        for junctions in _groups(space):
            if len(junctions[0].edges) <= max(multinomial_inputs, 1) or space.most_inputs(junctions[0]) == 1:
                mixes.append(MixChoices(space, junctions, self.layout, num_searches))
            else:
                coins.append(CoinChoices(space, junctions, self.layout, num_searches))
        slots: dict[int, list[Slot]] = {}
        for slot in space.graph.slots:
            slots.setdefault(len(slot.choices), []).append(slot)
        blocks = [BlockChoices(members, self.layout, num_searches) for members in slots.values()]
        either: list[MixChoices | BlockChoices] = [*mixes, *blocks]
        given = [part for part in either if part.logits.shape[-1] == 1]
        if not coins and len(given) == len(either):
            given = []  # a space of one route, whose policy has something to hold all the same
        self.given = tuple(given)
        self.mixes = nn.ModuleList(part for part in mixes if part not in given)
        self.coins = nn.ModuleList(coins)
        self.blocks = nn.ModuleList(part for part in blocks if part not in given)
        self.to(device, dtype)
        self._given = self._of_given()

    def lean(self, priors: Sequence[EdgePrior]) -> None:
        """Add one prior per search to the logits: a mix gains the log-odds of each edge that it has."""
        with torch.no_grad():
            for k, prior in enumerate(priors):
                for part in (*self.mixes, *self.coins):
                    part.lean(k, prior)

    def sample(self, noise: Noise, num_groups: int) -> Sample:
        """Draw ``num_groups`` routes for every search; searches of one noise seed share the draws."""
        target = self._target(num_groups)
        log_prob = torch.zeros(self.num_searches, num_groups, device=self.device, dtype=self.dtype)
        for part in self.parts:
            log_prob = log_prob + part.draw(noise, num_groups, target)
        return Sample(selection=self._selection(target), log_prob=log_prob)

    def fair(self, noise: Noise, first: int, num_groups: int, keys_K: Tensor) -> Selection:
        """Routes ``[K, G]`` in which every choice comes up equally often, by an order of each search's own.

        Routes are numbered over the whole search. Of a choice between C alternatives, routes ``r C`` to
        ``r C + C - 1`` hold a permutation of all of them (strict fairness: Chu et al., ICCV 2021,
        https://arxiv.org/abs/1907.01845, section 4). Edges that are coins are thrown with even odds.

        Args:
            noise: for the coins.
            first: number of the first route.
            num_groups: G.
            keys_K: one per search (``counted_draws``).
        """
        target = self._target(num_groups)
        for number, part in enumerate(self.parts):
            if isinstance(part, CoinChoices):
                part.draw(noise, num_groups, target)
                continue
            assert isinstance(part, MixChoices | BlockChoices)
            part.fill(_fair(words(keys_K, number), first, num_groups, *part.logits.shape[1:]), target)
        return self._selection(target)

    def relaxed(self, relaxation: Relaxation, noise: Noise | None, num_groups: int) -> Selection:
        """A selection ``[K, G]`` that carries gradients to the logits; G is 1 where no noise tells groups apart."""
        num_groups = num_groups if relaxation.noisy and noise is not None else 1
        target = self._target(num_groups)
        for part in self.parts:
            part.relax(relaxation, noise, num_groups, target)
        return self._selection(target)

    def expected(self) -> Selection:
        """Probabilities ``[K, 1, ...]`` of every edge, gate, query and block, with gradients to the logits."""
        ones = torch.ones(self.num_searches, device=self.device, dtype=self.dtype)
        return self.relaxed(Relaxation(temperature=ones, noisy=False, hard=False), None, 1)

    def entropy(self) -> Tensor:
        """Entropy ``[K]`` of the distribution, in nats."""
        return torch.stack([part.entropy() for part in self.parts]).sum(0)

    def best(self) -> list[Route]:
        """The most probable choice everywhere, per search."""
        parts: Sequence[Choices] = (*self.given, *self.parts)
        routes = []
        for k in range(self.num_searches):
            mixes: dict[str, Mix] = {}
            blocks: dict[str, Block] = {}
            for part in parts:
                part.take_best(k, mixes, blocks)
            routes.append(Route.of(mixes, blocks))
        return routes

    def routes(self, selection: Selection) -> list[list[Route]]:
        """A hard selection ``[K, G]`` as routes."""
        stopped = selection.edges.new_zeros(()).expand_as(selection.edges)
        flat = (
            selection.edges,
            stopped if selection.forward_only is None else selection.forward_only,
            selection.gates,
            selection.queries,
            selection.blocks,
        )
        searches = zip(*(tensor.tolist() for tensor in flat), strict=True)
        return [[self._route(*of_group) for of_group in zip(*of_search, strict=True)] for of_search in searches]

    def _target(self, num_groups: int) -> Target:
        """What is given, for every search and group; the rest is to be filled."""
        given, K = self._given, self.num_searches
        return Target(
            edges=given.edges.expand(K, num_groups, -1).clone(),
            stopped=given.stopped.expand(K, num_groups, -1).clone(),
            gates=given.gates.expand(K, num_groups, -1).clone(),
            queries=given.queries.expand(K, num_groups, -1).clone(),
            blocks=given.blocks.expand(K, num_groups, -1).clone(),
        )

    def _of_given(self) -> Target:
        """What has one alternative, ``[1, 1, ...]``; zero where something is to be drawn."""
        edges, stopped, gates, queries, blocks = (torch.zeros(1, 1, size) for size in self._sizes())
        found = Target(edges=edges, stopped=stopped, gates=gates, queries=queries, blocks=blocks)
        for part in self.given:
            part.fill(torch.zeros(1, 1, part.logits.shape[1], dtype=torch.long), found)
        parts = (found.edges, found.stopped, found.gates, found.queries, found.blocks)
        edges, stopped, gates, queries, blocks = (part.to(self.device, self.dtype) for part in parts)
        return Target(edges=edges, stopped=stopped, gates=gates, queries=queries, blocks=blocks)

    def _selection(self, target: Target) -> Selection:
        junctions = self.space.graph.junctions
        stops = any(EdgeState.FORWARD_ONLY in edge.states for junction in junctions for edge in junction.edges)
        return Selection(
            edges=target.edges,
            gates=target.gates,
            queries=target.queries,
            blocks=target.blocks,
            forward_only=target.stopped if stops else None,
        )

    def _route(
        self, edges: list[float], stopped: list[float], gates: list[float], queries: list[float], blocks: list[float]
    ) -> Route:
        layout, mixes = self.layout, {}
        for junction in self.space.graph.junctions:
            name = junction.name
            states = {
                source: EdgeState.FORWARD_ONLY if stopped[layout.edges[name, source]] else EdgeState.ON
                for source in junction.sources
                if edges[layout.edges[name, source]]
            }
            if not states:  # coins of a policy that diverged all lie tails up, and a mix needs an input
                states = {edge.source: edge.states[0] for edge in junction.edges[: max(junction.min_inputs, 1)]}
            gate = next((g for g in junction.gates if g is not GateKind.PASS and gates[layout.gates[name, g]]), None)
            query = next((q for q in junction.queries if queries[layout.queries[name, q]]), None)
            mixes[name] = Mix.of(junction, states, gate=gate, query=query)
        chosen = {
            slot.name: next(b for b in slot.choices if blocks[layout.blocks[slot.name, b.text]])
            for slot in self.space.graph.slots
        }
        return Route.of(mixes, chosen)

    def _sizes(self) -> tuple[int, int, int, int, int]:
        layout = self.layout
        return len(layout.edges), len(layout.edges), len(layout.gates), len(layout.queries), len(layout.blocks)

    @property
    def parts(self) -> Sequence[Choices]:
        """The independent distributions, in the order in which they are drawn."""
        return (*self.mixes, *self.coins, *self.blocks)


def _fair(keys_K: Tensor, first: int, num_groups: int, num_choices: int, alternatives: int) -> Tensor:
    """Numbers ``[K, G, J]`` of what the choices are in routes ``first`` and on: permutations one after another."""
    begin, end = first // alternatives, (first + num_groups - 1) // alternatives + 1
    shape = end - begin, num_choices, alternatives
    numbers_RJC = torch.arange(
        begin * num_choices * alternatives, end * num_choices * alternatives, device=keys_K.device
    )
    order_KRJC = words(keys_K.view(-1, 1, 1, 1), numbers_RJC.view(shape)).argsort(-1)
    order_KGJ = order_KRJC.transpose(2, 3).flatten(1, 2)
    return order_KGJ[:, first - begin * alternatives :][:, :num_groups]


def _groups(space: SearchSpace) -> list[list[Junction]]:
    """Junctions whose choices fit into common tensors."""
    groups: dict[tuple[object, ...], list[Junction]] = {}
    for junction in space.graph.junctions:
        required = tuple(edge.required for edge in junction.edges)
        states = tuple(len(edge.states) for edge in junction.edges)
        limits = (junction.min_inputs, space.most_inputs(junction))
        key = (required, states, limits, junction.gates, len(junction.queries))
        groups.setdefault(key, []).append(junction)
    return list(groups.values())
