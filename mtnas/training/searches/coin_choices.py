"""Choices that fall edge by edge: a coin for each, within the limits on how many come up.

Legend: K pack, G route groups, J junctions of one group, C manners (gate with query), N sources, F optional ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Block, GateKind, Junction, Mix
from mtnas.routes.nodes import EdgeState
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout
from mtnas.training.searches.bounded_coins import BoundedCoins
from mtnas.training.searches.choices import Target, draw_one, entropy_of, places, table
from mtnas.training.searches.loose_coins import LooseCoins
from mtnas.training.searches.relaxation import Relaxation
from mtnas.training.searches.route_prior import EdgePrior
from mtnas.training.step.noise import Noise

_BOTH = {EdgeState.ON, EdgeState.FORWARD_ONLY}


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
        self.register_buffer("free_at", places(self.free))
        self.register_buffer("both_JN", table([[[set(e.states) == _BOTH for e in j.edges] for j in junctions]])[0])
        self.register_buffer(
            "stopped_JN", table([[[e.states == (EdgeState.FORWARD_ONLY,) for e in j.edges] for j in junctions]])[0]
        )
        self.register_buffer("gates_CA", table([[[g is gate for gate in gates] for g, _ in self.manners]])[0])
        self.register_buffer("queries_CQ", table([[[q == query for query in positions] for _, q in self.manners]])[0])
        self.register_buffer("edge_at", places([[layout.edges[j.name, s] for s in j.sources] for j in junctions]))
        self.register_buffer("gate_at", places([[layout.gates[j.name, gate] for gate in gates] for j in junctions]))
        self.register_buffer("query_at", places([[layout.queries[j.name, q] for q in j.queries] for j in junctions]))

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
