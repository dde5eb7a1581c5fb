"""Softmax over the active sources, with logits that a query gives (MMoE; Ma et al., KDD 2018, eq. 6).

Legend: K pack, J junctions, N sources, B batch, Q queries, D query width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

from torch import Tensor, nn

from mtnas.routes.nodes import STATIC_QUERY
from mtnas.supernets.gates.gate import Gate, Gated, Mixing, softmax_over
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
        logits = over_queries(mixing, len(self.biases), self._of_query)
        return Gated(values=softmax_over(logits, mixing.edges))

    def of_junction(self, index: int, candidate: int) -> dict[str, Tensor]:
        """See ``Gate``: weights and biases by query."""
        found = {}
        for position, query in enumerate(self.queries[index]):
            found[f"{query}/bias"] = self.biases[str(position)][candidate, index]
            if query != STATIC_QUERY:
                found[f"{query}/weight"] = self.weights[str(position)][candidate, index]
        return found

    def _of_query(self, position: int, mixing: Mixing) -> Tensor:
        """``[K, J, N, B or 1]``."""
        bias: Tensor = self.biases[str(position)].unsqueeze(-1)
        vector = mixing.query(position, self.queries[0][position])
        if vector is None:
            return bias
        weight: Tensor = self.weights[str(position)]
        return linear_of(vector, weight) + bias


def over_queries(mixing: Mixing, num_queries: int, of_query: Callable[[int, Mixing], Tensor]) -> Tensor:
    """Logits ``[K, J, N, B or 1]`` of the query that each junction uses, from those of every position."""
    if num_queries == 1:
        return of_query(0, mixing)
    parts = [
        of_query(position, mixing) * mixing.query_choice[:, :, position : position + 1]
        for position in range(num_queries)
    ]
    return sum(parts[1:], start=parts[0])


def linear_of(vector_KJBD: Tensor, weight_KJDN: Tensor) -> Tensor:
    """``[K, J, N, B]``: every junction's map of its query; one wide product where all junctions ask the same."""
    K, J, D, N = weight_KJDN.shape
    if vector_KJBD.shape[1] < J:
        wide = vector_KJBD[:, 0] @ weight_KJDN.transpose(1, 2).reshape(K, D, J * N)
        return wide.view(K, -1, J, N).permute(0, 2, 3, 1)
    return (vector_KJBD @ weight_KJDN).transpose(2, 3)
