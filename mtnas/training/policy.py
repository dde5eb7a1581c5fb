"""The policy of a sampled search: a distribution over a space's routes, for K searches at once.

Up to six inputs, a junction's mix (active set, gate, query) is one multinomial; above, every edge is a coin of its own
and the manner of mixing a multinomial (DESIGN.md, search decisions). Slots with several blocks have a multinomial each.

Legend: K pack, G route groups, J junctions of one group, C choices, N sources, E/A/Q/X flat positions of a Layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Block, GateKind, Junction, Mix, Route, Slot
from mtnas.routes.nodes import NO_QUERY, EdgeState
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout, Selection
from mtnas.training.noise import Noise
from mtnas.training.route_prior import EdgePrior

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
    """Independent distributions over every junction's mix and every slot's block; uniform at the start."""

    def __init__(self, space: SearchSpace, num_searches: int, device: torch.device) -> None:
        """Make the policies of K searches.

        Args:
            space: whose routes to draw; constraints on cost are not part of the distribution.
            num_searches: K.
            device: where to draw.
        """
        super().__init__()
        self.space = space
        self.layout = Layout.of(space.graph)
        self.num_searches = num_searches
        self.device = device
        groups: dict[tuple[object, ...], list[Junction]] = {}
        for junction in space.graph.junctions:
            key = (len(junction.edges), junction.gates, junction.queries, junction.edges[0].states, junction.max_inputs)
            required = tuple(edge.required for edge in junction.edges)
            groups.setdefault((*key, required, junction.min_inputs), []).append(junction)
        self.mixes, self.coins, self.blocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for junctions in groups.values():
            if len(junctions[0].edges) <= MULTINOMIAL_INPUTS:
                self.mixes.append(_Mixes(space, junctions, self.layout, num_searches))
            else:
                self.coins.append(_Coins(junctions, self.layout, num_searches))
        slots: dict[int, list[Slot]] = {}
        for slot in space.graph.slots:
            slots.setdefault(len(slot.choices), []).append(slot)
        for members in slots.values():
            self.blocks.append(_Blocks(members, self.layout, num_searches))
        self.to(device)

    def lean(self, priors: Sequence[EdgePrior]) -> None:
        """Add one prior per search to the logits: a mix gains the log-odds of each edge that it has."""
        with torch.no_grad():
            for k, prior in enumerate(priors):
                for part in (*self.mixes, *self.coins):
                    part.lean(k, prior)

    def sample(self, noise: Noise, num_groups: int) -> Sample:
        """Draw ``num_groups`` routes for every search; searches of one noise seed share the draws."""
        shape = (self.num_searches, num_groups)
        edges, stopped, gates, queries, blocks = (
            torch.zeros(*shape, size, device=self.device) for size in self._sizes()
        )
        log_prob = torch.zeros(shape, device=self.device)
        target = _Target(edges=edges, stopped=stopped, gates=gates, queries=queries, blocks=blocks)
        for part in self._parts():
            log_prob = log_prob + part.draw(noise, num_groups, target)
        stops = any(
            EdgeState.FORWARD_ONLY in edge.states for junction in self.space.graph.junctions for edge in junction.edges
        )
        selection = Selection(
            edges=edges, gates=gates, queries=queries, blocks=blocks, forward_only=stopped if stops else None
        )
        return Sample(selection=selection, log_prob=log_prob)

    def entropy(self) -> Tensor:
        """Entropy ``[K]`` of the distribution, in nats."""
        return torch.stack([part.entropy() for part in self._parts()]).sum(0)

    def best(self) -> list[Route]:
        """The most probable choice everywhere, per search."""
        routes = []
        for k in range(self.num_searches):
            mixes: dict[str, Mix] = {}
            blocks: dict[str, Block] = {}
            for part in self._parts():
                part.take_best(k, mixes, blocks)
            routes.append(Route.of(mixes, blocks))
        return routes

    def routes(self, selection: Selection) -> list[list[Route]]:
        """A hard selection ``[K, G]`` as routes."""
        edges, stopped = selection.edges.cpu(), selection.forward_only
        stopped = torch.zeros_like(edges) if stopped is None else stopped.cpu()
        gates, queries, blocks = selection.gates.cpu(), selection.queries.cpu(), selection.blocks.cpu()
        return [
            [
                self._route(edges[k, g], stopped[k, g], gates[k, g], queries[k, g], blocks[k, g])
                for g in range(selection.num_groups)
            ]
            for k in range(self.num_searches)
        ]

    def _route(self, edges: Tensor, stopped: Tensor, gates: Tensor, queries: Tensor, blocks: Tensor) -> Route:
        layout, mixes = self.layout, {}
        for junction in self.space.graph.junctions:
            name = junction.name
            states = {
                source: EdgeState.FORWARD_ONLY if stopped[layout.edges[name, source]] else EdgeState.ON
                for source in junction.sources
                if edges[layout.edges[name, source]]
            }
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

    def _parts(self) -> Sequence[_Part]:
        return (*self.mixes, *self.coins, *self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The flat tensors ``[K, G, ...]`` that a draw fills."""

    edges: Tensor
    stopped: Tensor
    gates: Tensor
    queries: Tensor
    blocks: Tensor


class _Part(Protocol):
    def draw(self, noise: Noise, num_groups: int, target: _Target) -> Tensor: ...
    def entropy(self) -> Tensor: ...
    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None: ...


class _Mixes(nn.Module):
    """One multinomial per junction over whole mixes."""

    def __init__(self, space: SearchSpace, junctions: Sequence[Junction], layout: Layout, K: int) -> None:
        super().__init__()
        self.junctions = tuple(junctions)
        self.choices = [list(space.mixes(junction)) for junction in junctions]
        first, choices = junctions[0], self.choices[0]
        self.logits = nn.Parameter(torch.zeros(K, len(junctions), len(choices)))
        gates = [gate for gate in first.gates if gate is not GateKind.PASS]
        self.register_buffer("edges_CN", _table([[s in m.inputs for s in first.sources] for m in choices]))
        self.register_buffer("stopped_CN", _table([[s in m.forward_only for s in first.sources] for m in choices]))
        self.register_buffer("gates_CA", _table([[m.gate is gate for gate in gates] for m in choices]))
        self.register_buffer("queries_CQ", _table([[m.query == query for query in first.queries] for m in choices]))
        self.edge_at = [[layout.edges[j.name, s] for s in j.sources] for j in junctions]
        self.gate_at = [[layout.gates[j.name, gate] for gate in gates] for j in junctions]
        self.query_at = [[layout.queries[j.name, query] for query in j.queries] for j in junctions]

    def lean(self, k: int, prior: EdgePrior) -> None:
        for j, (junction, choices) in enumerate(zip(self.junctions, self.choices, strict=True)):
            odds = [sum(prior.get((junction.name, source), 0.0) for source in mix.inputs) for mix in choices]
            self.logits[k, j] += self.logits.new_tensor(odds)

    def draw(self, noise: Noise, num_groups: int, target: _Target) -> Tensor:
        chosen_KGJ, log_prob = _draw(self.logits, noise, num_groups)
        target.edges[..., self.edge_at] = self.edges_CN[chosen_KGJ]  # type: ignore[index]
        target.stopped[..., self.edge_at] = self.stopped_CN[chosen_KGJ]  # type: ignore[index]
        target.gates[..., self.gate_at] = self.gates_CA[chosen_KGJ]  # type: ignore[index]
        target.queries[..., self.query_at] = self.queries_CQ[chosen_KGJ]  # type: ignore[index]
        return log_prob

    def entropy(self) -> Tensor:
        return _entropy(self.logits)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        for junction, choices, best in zip(
            self.junctions, self.choices, self.logits[k].argmax(-1).tolist(), strict=True
        ):
            mixes[junction.name] = choices[best]


class _Coins(nn.Module):
    """A coin per edge and a multinomial per junction over gates and queries."""

    def __init__(self, junctions: Sequence[Junction], layout: Layout, K: int) -> None:
        super().__init__()
        self.junctions = tuple(junctions)
        first = junctions[0]
        gates = [gate for gate in first.gates if gate is not GateKind.PASS]
        self.manners = [
            (gate, query) for gate in gates for query in (first.queries if gate.takes_query else (NO_QUERY,))
        ]
        self.edge_logits = nn.Parameter(torch.zeros(K, len(junctions), len(first.edges)))
        self.logits = nn.Parameter(torch.zeros(K, len(junctions), len(self.manners)))
        self.register_buffer("required", _table([[edge.required for edge in first.edges]])[0].bool())
        self.register_buffer("gates_CA", _table([[g is gate for gate in gates] for g, _ in self.manners]))
        self.register_buffer("queries_CQ", _table([[q == query for query in first.queries] for _, q in self.manners]))
        self.edge_at = [[layout.edges[j.name, s] for s in j.sources] for j in junctions]
        self.gate_at = [[layout.gates[j.name, gate] for gate in gates] for j in junctions]
        self.query_at = [[layout.queries[j.name, query] for query in j.queries] for j in junctions]

    def lean(self, k: int, prior: EdgePrior) -> None:
        for j, junction in enumerate(self.junctions):
            odds = [prior.get((junction.name, source), 0.0) for source in junction.sources]
            self.edge_logits[k, j] += self.edge_logits.new_tensor(odds)

    def draw(self, noise: Noise, num_groups: int, target: _Target) -> Tensor:
        logits_KJN = self.edge_logits
        u = noise.uniform((num_groups, *logits_KJN.shape[1:]))
        score = logits_KJN.unsqueeze(1) + torch.log(u) - torch.log1p(-u)
        least, most = self.junctions[0].min_inputs, self.junctions[0].most_inputs
        rank = score.masked_fill(self.required, torch.inf).argsort(-1, descending=True).argsort(-1)  # type: ignore[arg-type]
        on = ((score > 0) | self.required | (rank < least)) & (rank < max(most, least))  # type: ignore[operator]
        chosen = on.to(logits_KJN.dtype)
        coin = -F.binary_cross_entropy_with_logits(logits_KJN.unsqueeze(1).expand_as(chosen), chosen, reduction="none")
        target.edges[..., self.edge_at] = chosen.detach()
        manner_KGJ, log_prob = _draw(self.logits, noise, num_groups)
        several = (chosen.sum(-1, keepdim=True) > 1).to(chosen.dtype)
        target.gates[..., self.gate_at] = self.gates_CA[manner_KGJ] * several  # type: ignore[index]
        target.queries[..., self.query_at] = self.queries_CQ[manner_KGJ] * several  # type: ignore[index]
        return coin.sum((-1, -2)) + log_prob

    def entropy(self) -> Tensor:
        p = self.edge_logits.sigmoid()
        coins = F.binary_cross_entropy_with_logits(self.edge_logits, p, reduction="none")
        return coins.sum((-1, -2)) + _entropy(self.logits)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        for j, junction in enumerate(self.junctions):
            order = sorted(range(len(junction.edges)), key=lambda n: -float(self.edge_logits[k, j, n]))
            required = [n for n in order if junction.edges[n].required]
            optional = [n for n in order if n not in required]
            wanted = [n for n in optional if float(self.edge_logits[k, j, n]) > 0]
            least = max(junction.min_inputs - len(required), 0)
            kept = (wanted if len(wanted) >= least else optional[:least])[: junction.most_inputs - len(required)]
            states = {junction.edges[n].source: junction.edges[n].states[0] for n in (*required, *kept)}
            gate, query = self.manners[int(self.logits[k, j].argmax())]
            mixes[junction.name] = Mix.of(junction, states, gate=gate, query=query)


class _Blocks(nn.Module):
    """One multinomial per slot over its blocks."""

    def __init__(self, slots: Sequence[Slot], layout: Layout, K: int) -> None:
        super().__init__()
        self.slots = tuple(slots)
        self.logits = nn.Parameter(torch.zeros(K, len(slots), len(slots[0].choices)))
        self.block_at = [[layout.blocks[slot.name, block.text] for block in slot.choices] for slot in slots]

    def draw(self, noise: Noise, num_groups: int, target: _Target) -> Tensor:
        chosen_KGS, log_prob = _draw(self.logits, noise, num_groups)
        target.blocks[..., self.block_at] = F.one_hot(chosen_KGS, self.logits.shape[-1]).to(target.blocks.dtype)
        return log_prob

    def entropy(self) -> Tensor:
        return _entropy(self.logits)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        for slot, best in zip(self.slots, self.logits[k].argmax(-1).tolist(), strict=True):
            blocks[slot.name] = slot.choices[best]


def _draw(logits_KJC: Tensor, noise: Noise, num_groups: int) -> tuple[Tensor, Tensor]:
    """Gumbel-max draws ``[K, G, J]`` and their log-probabilities ``[K, G]``."""
    u = noise.uniform((num_groups, *logits_KJC.shape[1:]))
    chosen = (logits_KJC.detach().unsqueeze(1) - torch.log(-torch.log(u))).argmax(-1)
    log_p = logits_KJC.log_softmax(-1).unsqueeze(1).expand(-1, num_groups, -1, -1)
    return chosen, log_p.gather(-1, chosen.unsqueeze(-1)).squeeze(-1).sum(-1)


def _entropy(logits_KJC: Tensor) -> Tensor:
    log_p = logits_KJC.log_softmax(-1)
    return -(log_p.exp() * log_p).sum((-1, -2))


def _table(rows: Sequence[Sequence[bool]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)
