"""The independent distributions that a policy is made of: whole mixes, coins per edge, blocks.

Legend: K pack, G route groups, J junctions or S slots of one group, C choices, N sources, E/A/Q/X flat positions of a
Layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Block, GateKind, Junction, Mix, Slot
from mtnas.routes.nodes import EdgeState
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout
from mtnas.training.searches.bounded_coins import BoundedCoins
from mtnas.training.searches.loose_coins import LooseCoins
from mtnas.training.searches.relaxation import Relaxation
from mtnas.training.searches.route_prior import EdgePrior
from mtnas.training.step.noise import Noise

_BOTH = {EdgeState.ON, EdgeState.FORWARD_ONLY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The flat tensors ``[K, G, ...]`` that a draw fills."""

    edges: Tensor
    stopped: Tensor
    gates: Tensor
    queries: Tensor
    blocks: Tensor


class Choices(Protocol):
    """Distributions over a group of like choices."""

    def draw(self, noise: Noise, num_groups: int, target: Target) -> Tensor:
        """Draw ``num_groups`` times per search; the logarithm ``[K, G]`` of the probability of what was drawn."""
        ...

    def relax(self, relaxation: Relaxation, noise: Noise | None, num_groups: int, target: Target) -> None:
        """Fill the target with choices that carry gradients."""
        ...

    def entropy(self) -> Tensor:
        """``[K]`` in nats."""
        ...

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        """Add the most probable choices of search k."""
        ...


class MixChoices(nn.Module):
    """One multinomial per junction over whole mixes."""

    edges_JCN: Tensor
    stopped_JCN: Tensor
    gates_JCA: Tensor
    queries_JCQ: Tensor
    edge_at: Tensor
    gate_at: Tensor
    query_at: Tensor

    def __init__(self, space: SearchSpace, junctions: Sequence[Junction], layout: Layout, K: int) -> None:
        super().__init__()
        self.junctions = tuple(junctions)
        self.choices = [list(space.mixes(junction)) for junction in junctions]
        self.logits = nn.Parameter(torch.zeros(K, len(junctions), len(self.choices[0])))
        gates = [gate for gate in junctions[0].gates if gate is not GateKind.PASS]
        of_each = list(zip(junctions, self.choices, strict=True))
        self.register_buffer("edges_JCN", _table([[[s in m.inputs for s in j.sources] for m in c] for j, c in of_each]))
        self.register_buffer(
            "stopped_JCN", _table([[[s in m.forward_only for s in j.sources] for m in c] for j, c in of_each])
        )
        self.register_buffer("gates_JCA", _table([[[m.gate is gate for gate in gates] for m in c] for _, c in of_each]))
        self.register_buffer(
            "queries_JCQ", _table([[[m.query == query for query in j.queries] for m in c] for j, c in of_each])
        )
        self.register_buffer("edge_at", _places([[layout.edges[j.name, s] for s in j.sources] for j in junctions]))
        self.register_buffer("gate_at", _places([[layout.gates[j.name, gate] for gate in gates] for j in junctions]))
        self.register_buffer("query_at", _places([[layout.queries[j.name, q] for q in j.queries] for j in junctions]))

    def lean(self, k: int, prior: EdgePrior) -> None:
        """Add the log-odds of its edges to every mix of search k."""
        for j, (junction, choices) in enumerate(zip(self.junctions, self.choices, strict=True)):
            odds = [sum(prior.get((junction.name, source), 0.0) for source in mix.inputs) for mix in choices]
            self.logits[k, j] += self.logits.new_tensor(odds)

    def draw(self, noise: Noise, num_groups: int, target: Target) -> Tensor:
        """See ``Choices``."""
        chosen_KGJ, log_prob_KGJ = draw_one(self.logits, noise, num_groups)
        self.fill(chosen_KGJ, target)
        return log_prob_KGJ.sum(-1)

    def fill(self, chosen_KGJ: Tensor, target: Target) -> None:
        """Put choices, by their numbers, into the target."""
        each_J = torch.arange(len(self.junctions), device=chosen_KGJ.device)
        target.edges[..., self.edge_at] = self.edges_JCN[each_J, chosen_KGJ]
        target.stopped[..., self.edge_at] = self.stopped_JCN[each_J, chosen_KGJ]
        target.gates[..., self.gate_at] = self.gates_JCA[each_J, chosen_KGJ]
        target.queries[..., self.query_at] = self.queries_JCQ[each_J, chosen_KGJ]

    def relax(self, relaxation: Relaxation, noise: Noise | None, num_groups: int, target: Target) -> None:
        """See ``Choices``: every part of a mix has the weight of all mixes that have it."""
        weights_KGJC = relaxation.weights(self.logits, noise, num_groups)
        places = (self.edge_at, self.edges_JCN), (self.gate_at, self.gates_JCA), (self.query_at, self.queries_JCQ)
        for flat, (at, table) in zip((target.edges, target.gates, target.queries), places, strict=True):
            flat[..., at] = torch.einsum("kgjc,jcn->kgjn", weights_KGJC, table)
        target.stopped[..., self.edge_at] = torch.einsum("kgjc,jcn->kgjn", weights_KGJC, self.stopped_JCN).detach()

    def entropy(self) -> Tensor:
        """See ``Choices``."""
        return entropy_of(self.logits).sum(-1)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        """See ``Choices``."""
        for junction, choices, best in zip(
            self.junctions, self.choices, self.logits[k].argmax(-1).tolist(), strict=True
        ):
            mixes[junction.name] = choices[best]


class CoinChoices(nn.Module):
    """A coin per optional edge, one per edge that may be forward-only, and a multinomial over gates and queries.

    How many edges come up keeps to the junction's and the space's limits (``bounded_coins``). What is drawn but not
    used (the gate of a single input, the state of an edge that is off) does not count in the probability.
    """

    both_JN: Tensor
    stopped_JN: Tensor
    gates_CA: Tensor
    queries_CQ: Tensor
    free_at: Tensor
    edge_at: Tensor
    gate_at: Tensor
    query_at: Tensor

    def __init__(self, space: SearchSpace, junctions: Sequence[Junction], layout: Layout, K: int) -> None:
        super().__init__()
        self.junctions = tuple(junctions)
        first = junctions[0]
        self.free = [n for n, edge in enumerate(first.edges) if not edge.required]
        self.num_required = len(first.edges) - len(self.free)
        self.least = max(first.min_inputs - self.num_required, 0)
        self.most = space.most_inputs(first) - self.num_required
        gates = [gate for gate in first.gates if gate is not GateKind.PASS]
        positions = range(len(first.queries))
        self.manners: list[tuple[GateKind, int | None]] = [
            (gate, position) for gate in gates for position in (positions if gate.takes_query else (None,))
        ] or [(GateKind.PASS, None)]
        J, N = len(junctions), len(first.edges)
        both = any(set(edge.states) == _BOTH for edge in first.edges)
        self.edge_logits = nn.Parameter(torch.zeros(K, J, len(self.free)))
        self.stop_logits = nn.Parameter(torch.zeros(K, J, N)) if both else None
        self.logits = nn.Parameter(torch.zeros(K, J, len(self.manners)))
        self.register_buffer("free_at", _places(self.free))
        self.register_buffer("both_JN", _table([[[set(e.states) == _BOTH for e in j.edges] for j in junctions]])[0])
        self.register_buffer(
            "stopped_JN", _table([[[e.states == (EdgeState.FORWARD_ONLY,) for e in j.edges] for j in junctions]])[0]
        )
        self.register_buffer("gates_CA", _table([[[g is gate for gate in gates] for g, _ in self.manners]])[0])
        self.register_buffer("queries_CQ", _table([[[q == query for query in positions] for _, q in self.manners]])[0])
        self.register_buffer("edge_at", _places([[layout.edges[j.name, s] for s in j.sources] for j in junctions]))
        self.register_buffer("gate_at", _places([[layout.gates[j.name, gate] for gate in gates] for j in junctions]))
        self.register_buffer("query_at", _places([[layout.queries[j.name, q] for q in j.queries] for j in junctions]))

    def lean(self, k: int, prior: EdgePrior) -> None:
        """Add the log-odds of the optional edges of search k."""
        for j, junction in enumerate(self.junctions):
            odds = [prior.get((junction.name, junction.sources[n]), 0.0) for n in self.free]
            self.edge_logits[k, j] += self.edge_logits.new_tensor(odds)

    def draw(self, noise: Noise, num_groups: int, target: Target) -> Tensor:
        """See ``Choices``."""
        coins = self._coins()
        up_KGJF = coins.draw(noise.uniform((num_groups, *self.edge_logits.shape[1:])))
        log_prob_KGJ = coins.log_prob(up_KGJF)
        on = self.logits.new_ones((*up_KGJF.shape[:3], len(self.junctions[0].edges)))
        on[..., self.free_at] = up_KGJF.to(on.dtype)
        stopped = on * self.stopped_JN
        if self.stop_logits is not None:
            u = noise.uniform((num_groups, *self.stop_logits.shape[1:]))
            stop_KGJN = self.stop_logits.unsqueeze(1).expand_as(on)
            drawn = (u < stop_KGJN.sigmoid()).to(on.dtype)
            counted = on * self.both_JN
            stopped = stopped + counted * drawn
            log_stop = -F.binary_cross_entropy_with_logits(stop_KGJN, drawn, reduction="none")
            log_prob_KGJ = log_prob_KGJ + (log_stop * counted).sum(-1)
        manner_KGJ, log_manner_KGJ = draw_one(self.logits, noise, num_groups)
        mixes_KGJ = (on.sum(-1) > 1).to(on.dtype)
        target.edges[..., self.edge_at] = on
        target.stopped[..., self.edge_at] = stopped
        target.gates[..., self.gate_at] = self.gates_CA[manner_KGJ] * mixes_KGJ.unsqueeze(-1)
        target.queries[..., self.query_at] = self.queries_CQ[manner_KGJ] * mixes_KGJ.unsqueeze(-1)
        return (log_prob_KGJ + log_manner_KGJ * mixes_KGJ).sum(-1)

    def relax(self, relaxation: Relaxation, noise: Noise | None, num_groups: int, target: Target) -> None:
        """See ``Choices``: coins fall independently of one another; limits on their number count in routes alone."""
        up_KJFC = torch.stack((torch.zeros_like(self.edge_logits), self.edge_logits), dim=-1)
        K, J, num_free, _ = up_KJFC.shape
        flat = relaxation.weights(up_KJFC.view(K, J * num_free, 2), noise, num_groups)
        on = flat.new_ones((*flat.shape[:2], J, len(self.junctions[0].edges)))
        on[..., self.free_at] = flat[..., 1].view(*flat.shape[:2], J, num_free)
        manner_KGJC = relaxation.weights(self.logits, noise, num_groups)
        mixes_KGJ1 = (on.detach().sum(-1, keepdim=True) > 1).to(on.dtype)
        target.edges[..., self.edge_at] = on
        target.stopped[..., self.edge_at] = (on * self.stopped_JN).detach()
        target.gates[..., self.gate_at] = (manner_KGJC @ self.gates_CA) * mixes_KGJ1
        target.queries[..., self.query_at] = (manner_KGJC @ self.queries_CQ) * mixes_KGJ1

    def entropy(self) -> Tensor:
        """See ``Choices``."""
        coins = self._coins()
        of_coin_KJF, of_number_KJC = coins.chances()
        single = of_number_KJC[..., : max(2 - self.num_required, 0)].sum(-1)
        entropy_KJ = coins.entropy() + (1 - single) * entropy_of(self.logits)
        if self.stop_logits is not None:
            on_KJN = torch.ones_like(self.stop_logits).index_copy(2, self.free_at, of_coin_KJF)
            p = self.stop_logits.sigmoid()
            of_state = F.binary_cross_entropy_with_logits(self.stop_logits, p, reduction="none")
            entropy_KJ = entropy_KJ + (on_KJN * self.both_JN * of_state).sum(-1)
        return entropy_KJ.sum(-1)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        """See ``Choices``."""
        for j, junction in enumerate(self.junctions):
            logit_of = dict(zip(self.free, self.edge_logits[k, j].tolist(), strict=True))
            order = sorted(self.free, key=lambda n: -logit_of[n])
            wanted = sum(logit > 0 for logit in logit_of.values())
            kept = {*order[: min(max(wanted, self.least), self.most)]}
            on = [n for n in range(len(junction.edges)) if n in kept or n not in logit_of]
            states = {junction.edges[n].source: self._best_state(k, j, n) for n in on}
            gate, position = self.manners[int(self.logits[k, j].argmax())]
            query = None if position is None else junction.queries[position]
            mixes[junction.name] = Mix.of(junction, states, gate=gate, query=query)

    def _coins(self) -> BoundedCoins | LooseCoins:
        if self.least <= 1 and self.least <= len(self.free) <= self.most:
            return LooseCoins(self.edge_logits, least=self.least)
        return BoundedCoins(self.edge_logits, least=self.least, most=self.most)

    def _best_state(self, k: int, j: int, n: int) -> EdgeState:
        states = self.junctions[j].edges[n].states
        if self.stop_logits is None or len(states) == 1:
            return states[0]
        return EdgeState.FORWARD_ONLY if self.stop_logits[k, j, n].item() > 0 else EdgeState.ON


class BlockChoices(nn.Module):
    """One multinomial per slot over its blocks."""

    block_at: Tensor

    def __init__(self, slots: Sequence[Slot], layout: Layout, K: int) -> None:
        super().__init__()
        self.slots = tuple(slots)
        self.logits = nn.Parameter(torch.zeros(K, len(slots), len(slots[0].choices)))
        positions = [[layout.blocks[slot.name, block.text] for block in slot.choices] for slot in slots]
        self.register_buffer("block_at", _places(positions))

    def draw(self, noise: Noise, num_groups: int, target: Target) -> Tensor:
        """See ``Choices``."""
        chosen_KGS, log_prob_KGS = draw_one(self.logits, noise, num_groups)
        self.fill(chosen_KGS, target)
        return log_prob_KGS.sum(-1)

    def fill(self, chosen_KGJ: Tensor, target: Target) -> None:
        """Put choices, by their numbers, into the target."""
        target.blocks[..., self.block_at] = F.one_hot(chosen_KGJ, self.logits.shape[-1]).to(target.blocks.dtype)

    def relax(self, relaxation: Relaxation, noise: Noise | None, num_groups: int, target: Target) -> None:
        """See ``Choices``."""
        target.blocks[..., self.block_at] = relaxation.weights(self.logits, noise, num_groups)

    def entropy(self) -> Tensor:
        """See ``Choices``."""
        return entropy_of(self.logits).sum(-1)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        """See ``Choices``."""
        for slot, best in zip(self.slots, self.logits[k].argmax(-1).tolist(), strict=True):
            blocks[slot.name] = slot.choices[best]


def draw_one(logits_KJC: Tensor, noise: Noise, num_groups: int) -> tuple[Tensor, Tensor]:
    """Gumbel-max draws ``[K, G, J]`` and the logarithms of their probabilities ``[K, G, J]``."""
    u = noise.uniform((num_groups, *logits_KJC.shape[1:])).to(logits_KJC.dtype)
    chosen = (logits_KJC.detach().unsqueeze(1) - torch.log(-torch.log(u))).argmax(-1)
    log_p = logits_KJC.log_softmax(-1).unsqueeze(1).expand(-1, num_groups, -1, -1)
    return chosen, log_p.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)


def entropy_of(logits_KJC: Tensor) -> Tensor:
    """Entropies ``[K, J]`` of multinomials, in nats."""
    log_p = logits_KJC.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


def _places(positions: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    """Flat positions, on the device from the start: a list would travel there in every step."""
    return torch.tensor(positions, dtype=torch.long)


def _table(rows: Sequence[Sequence[Sequence[bool]]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)
