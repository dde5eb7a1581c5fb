"""Softmax over the active sources, with logits that a query gives (MMoE; Ma et al., KDD 2018, eq. 6).

Legend: K pack, J junctions, N sources, B batch, Q queries, D query width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from mtnas.routes.nodes import STATIC_QUERY
from mtnas.supernets.gates.gate import Gate, Gated, Mixing
from mtnas.supernets.initial import Initial


class SoftmaxGate(Gate):
    """Logits: a linear map of the query, or free numbers for ``static``.

    Args:
        names: the junctions.
        queries: per junction its queries; those of one position have one width.
        widths: width of each position's query.
        num_sources: N.
        initial: draws the weights.
    """

    def __init__(
        self,
        names: Sequence[str],
        queries: Sequence[tuple[str, ...]],
        widths: Sequence[int],
        num_sources: int,
        initial: Initial,
    ) -> None:
        super().__init__()
        self.queries = tuple(queries)
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for position, width in enumerate(widths):
            sites = [f"{name}/{asked[position]}" for name, asked in zip(names, queries, strict=True)]
            self.biases[str(position)] = initial.constant(sites, (num_sources,), 0.0)
            if queries[0][position] != STATIC_QUERY:
                self.weights[str(position)] = initial.uniform(sites, (width, num_sources), 1 / sqrt(width))

    def forward(self, mixing: Mixing) -> Gated:
        """e^logit * edge / sum(e^logit * edge), for relaxed edges as well; zeros where no source is active."""
        edges, logits = mixing.edges, self._logits(mixing)
        highest = logits.detach().masked_fill(edges == 0, -torch.inf).amax(2, keepdim=True)
        shift = highest.where(highest > -torch.inf, logits.detach().amax(2, keepdim=True))
        weighted = (logits - shift).clamp(max=60).exp() * edges
        total = weighted.sum(2, keepdim=True)
        return Gated(values=weighted / total.where(total > 0, 1))

    def of_junction(self, index: int, candidate: int) -> dict[str, Tensor]:
        """See ``Gate``: weights and biases by query."""
        found = {}
        for position, query in enumerate(self.queries[index]):
            found[f"{query}/bias"] = self.biases[str(position)][candidate, index]
            if query != STATIC_QUERY:
                found[f"{query}/weight"] = self.weights[str(position)][candidate, index]
        return found

    def _logits(self, mixing: Mixing) -> Tensor:
        several = len(self.biases) > 1
        logits: Tensor | None = None
        for position in range(len(self.biases)):
            found = self._of_query(position, mixing)
            if several:
                found = found * mixing.query_choice[:, :, position : position + 1]
            logits = found if logits is None else logits + found
        assert logits is not None
        return logits

    def _of_query(self, position: int, mixing: Mixing) -> Tensor:
        """``[K, J, N, B or 1]``."""
        bias: Tensor = self.biases[str(position)].unsqueeze(-1)
        vector = mixing.query(position, self.queries[0][position])
        if vector is None:
            return bias
        weight: Tensor = self.weights[str(position)]
        return linear_of(vector, weight) + bias


def linear_of(vector_KJBD: Tensor, weight_KJDN: Tensor) -> Tensor:
    """``[K, J, N, B]``: every junction's map of its query; one wide product where all junctions ask the same."""
    K, J, D, N = weight_KJDN.shape
    if vector_KJBD.shape[1] < J:
        wide = vector_KJBD[:, 0] @ weight_KJDN.transpose(1, 2).reshape(K, D, J * N)
        return wide.view(K, -1, J, N).permute(0, 2, 3, 1)
    return (vector_KJBD @ weight_KJDN).transpose(2, 3)
