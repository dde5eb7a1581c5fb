"""A low-rank controller that opens one source per example ("Sparse is Enough in Scaling Transformers"; Jaszczur et al.,
NeurIPS 2021, https://arxiv.org/abs/2111.12763, section 3.1; numbers from the authors' ``SparseFF`` layer in Trax).

Their feed-forward layer cuts its units into blocks and opens one unit per block; here the sources of a junction are one
block.

Legend: K pack, J junctions, N sources, B batch, D query width, R rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from mtnas.routes.nodes import INPUT_QUERY, STATIC_QUERY
from mtnas.supernets.gates.gate import Gate, Gated, Mixing, straight_through
from mtnas.supernets.gates.logits import over_queries
from mtnas.supernets.gates.softmax_values import softmax_over
from mtnas.supernets.initial import Initial


class ControllerGate(Gate):
    """Logits (query C1) C2 + bias, or free ones for ``static``; the highest logit's source has the value 1, others 0.

    Training puts Gumbel noise of size ``controller_noise`` on every row's logits before it picks, and picks in a share
    ``hard_passes`` of the steps only; in the others the sources are weighed by the softmax of the logits without noise.
    Gradients are always those of the softmax (straight through). Evaluation picks without noise.

    Args:
        names: the junctions.
        queries: per junction its queries; those of one position have one width.
        widths: width of each position's query.
        num_sources: N.
        rank: R.
        initial: draws the weights.
    """

    def __init__(
        self,
        names: Sequence[str],
        queries: Sequence[tuple[str, ...]],
        widths: Sequence[int],
        num_sources: int,
        *,
        rank: int,
        initial: Initial,
    ) -> None:
        super().__init__()
        self.queries = tuple(queries)
        self.downs, self.ups, self.biases = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        for position, width in enumerate(widths):
            sites = [f"{name}/{asked[position]}" for name, asked in zip(names, queries, strict=True)]
            self.biases[str(position)] = initial.constant(sites, (num_sources,), 0.0)
            if queries[0][position] != STATIC_QUERY:
                downs, ups = ([f"{site}/{part}" for site in sites] for part in ("down", "up"))
                self.downs[str(position)] = initial.uniform(downs, (width, rank), sqrt(3 / max(width, 1)))
                self.ups[str(position)] = initial.uniform(ups, (rank, num_sources), 1 / sqrt(rank))

    def forward(self, mixing: Mixing) -> Gated:
        """One source of every row, or all of them weighed."""
        logits = over_queries(mixing, len(self.biases), self._of_query)
        soft = softmax_over(logits, mixing.edges)
        if mixing.draws is None:
            return Gated(values=straight_through(_picked(logits.detach(), mixing.edges), soft))
        J, N = logits.shape[1:3]
        uniform = mixing.draws.uniform_rows((J, N), mixing.num_rows)
        noise = -(-uniform.log()).log() * mixing.selection.setting("controller_noise", 3)
        hard = straight_through(_picked(logits.detach() + noise.to(logits.dtype), mixing.edges), soft)
        is_hard = mixing.draws.uniform((J, 1, 1)) < mixing.selection.setting("hard_passes", 3)
        return Gated(values=torch.where(is_hard, hard, soft))

    def input_maps(self) -> Sequence[Tensor]:
        """See ``Gate``."""
        return [self.downs[str(p)] for p, query in enumerate(self.queries[0]) if query == INPUT_QUERY]

    def of_junction(self, index: int, candidate: int) -> dict[str, Tensor]:
        """See ``Gate``: biases and both maps by query."""
        held = {"bias": self.biases, "down": self.downs, "up": self.ups}
        return {
            f"{query}/{part}": held[part][str(position)][candidate, index]
            for position, query in enumerate(self.queries[index])
            for part in self.parts_of(query)
        }

    def per_source(self, name: str) -> bool:
        """See ``Gate``: all but the map into the rank."""
        return not name.endswith("/down")

    @staticmethod
    def parts_of(query: str) -> tuple[str, ...]:
        """Names of what a query's logits are made of."""
        return ("bias",) if query == STATIC_QUERY else ("bias", "down", "up")

    def _of_query(self, position: int, mixing: Mixing) -> Tensor:
        """``[K, J, N, B or 1]``."""
        bias: Tensor = self.biases[str(position)].unsqueeze(-1)
        name = self.queries[0][position]
        if name == STATIC_QUERY:
            return bias
        up_KJRN: Tensor = self.ups[str(position)]
        return up_KJRN.transpose(2, 3) @ mixing.product(position, name, self.downs[str(position)]) + bias


def _picked(logits_KJNB: Tensor, edges_KJNB: Tensor) -> Tensor:
    """1 for the active source with the highest logit, by e^logit * edge where edges are relaxed, 0 for the others."""
    scores = logits_KJNB + edges_KJNB.detach().log()
    winner = torch.zeros_like(scores).scatter_(2, scores.argmax(2, keepdim=True), 1.0)
    return winner * (edges_KJNB > 0)
