"""Gates whose values are made of one logit per source, which a query gives.

Legend: K pack, J junctions, N sources, B batch, Q queries, D query width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

from torch import Tensor, nn

from mtnas.routes.nodes import INPUT_QUERY, STATIC_QUERY
from mtnas.supernets.gates.gate import Gate, Mixing
from mtnas.supernets.initial import Initial


class LogitGate(Gate):
    """Logits: a linear map of the query, or free numbers for ``static``, with biases that start at ``START``.

    Args:
        names: the junctions.
        queries: per junction its queries; those of one position have one width.
        widths: width of each position's query.
        num_sources: N.
        initial: draws the weights.
    """

    START = 0.0

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
            self.biases[str(position)] = initial.constant(sites, (num_sources,), self.START)
            if queries[0][position] != STATIC_QUERY:
                self.weights[str(position)] = initial.uniform(sites, (width, num_sources), 1 / sqrt(width))

    def logits(self, mixing: Mixing) -> Tensor:
        """``[K, J, N, B or 1]``."""
        return over_queries(mixing, len(self.biases), self._of_query)

    def input_maps(self) -> Sequence[Tensor]:
        """See ``Gate``."""
        return [self.weights[str(p)] for p, query in enumerate(self.queries[0]) if query == INPUT_QUERY]

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
        name = self.queries[0][position]
        if name == STATIC_QUERY:
            return bias
        return mixing.product(position, name, self.weights[str(position)]) + bias


def over_queries(mixing: Mixing, num_queries: int, of_query: Callable[[int, Mixing], Tensor]) -> Tensor:
    """Logits ``[K, J, N, B or 1]`` of the query that each junction uses, from those of every position."""
    if num_queries == 1:
        return of_query(0, mixing)
    parts = [
        of_query(position, mixing) * mixing.query_choice[:, :, position : position + 1]
        for position in range(num_queries)
    ]
    return sum(parts[1:], start=parts[0])
