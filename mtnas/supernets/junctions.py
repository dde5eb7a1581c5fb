"""Groups of equal junctions: the gates that mix their sources, applied as batched products.

Legend: K pack, G route groups, J junctions, N sources, B batch, D query width, W width of the sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from mtnas.routes import GateKind, Junction
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, MEAN_QUERY, STATIC_QUERY
from mtnas.supernets.initial import Initial
from mtnas.supernets.layout import Layout
from mtnas.supernets.selection import Selection


class JunctionGroup(nn.Module):
    """Junctions that read the same sources under the same gates and queries."""

    edge_at: Tensor
    gate_at: Tensor
    query_at: Tensor

    def __init__(
        self, junctions: Sequence[Junction], layout: Layout, query_widths: Mapping[str, int], initial: Initial
    ) -> None:
        super().__init__()
        self.names = tuple(junction.name for junction in junctions)
        self.sources = junctions[0].sources
        mixes = len(self.sources) > 1
        self.gates = tuple(gate for gate in junctions[0].gates if gate is not GateKind.PASS) if mixes else ()
        self.queries = junctions[0].queries if GateKind.SOFTMAX in self.gates else ()
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for query in self.queries:
            sites = [f"{name}/{query}" for name in self.names]
            key = _key(query)
            self.biases[key] = initial.constant(sites, (len(self.sources),), 0.0)
            if query != STATIC_QUERY:
                width = query_widths[query]
                self.weights[key] = initial.uniform(sites, (width, len(self.sources)), 1 / sqrt(width))
        self._address("edge_at", [[layout.edges[name, source] for source in self.sources] for name in self.names])
        self._address("gate_at", [[layout.gates[name, gate] for gate in self.gates] for name in self.names])
        self._address("query_at", [[layout.queries[name, q] for q in self.queries] for name in self.names])

    def _address(self, name: str, positions: list[list[int]]) -> None:
        self.register_buffer(name, torch.tensor(positions, dtype=torch.long), persistent=False)

    def forward(self, h_KNBW: Tensor, queries: Mapping[str, Tensor], selection: Selection) -> Tensor:
        """Mixed inputs ``[K, J, B, W]`` of sources ``[K, N, B, W]``; ``queries`` hold ``[K, B, D]`` vectors."""
        num_rows = h_KNBW.shape[2]
        stopped = None
        if selection.forward_only is not None:
            stopped = _over_rows(selection.forward_only[..., self.edge_at], num_rows)
        if len(self.sources) == 1:
            lone = h_KNBW.expand(-1, len(self.names), -1, -1)
            return lone if stopped is None else mix(torch.ones_like(stopped), h_KNBW, stopped)
        edges_KGJN = selection.edges[..., self.edge_at]
        return mix(self.values(h_KNBW, queries, selection, edges_KGJN, stopped), h_KNBW, stopped)

    def values(
        self,
        h_KNBW: Tensor,
        queries: Mapping[str, Tensor],
        selection: Selection,
        edges_KGJN: Tensor,
        stopped_KJNB: Tensor | None,
    ) -> Tensor:
        """Values of the connections, ``[K, J, N, B]`` (B is 1 per route group where no value depends on the row)."""
        num_rows = h_KNBW.shape[2]
        gates_KGJA = selection.gates[..., self.gate_at]
        total: Tensor | None = None
        for index, gate in enumerate(self.gates):
            match gate:
                case GateKind.SOFTMAX:
                    values = self._softmax(h_KNBW, queries, selection, edges_KGJN, stopped_KJNB)
                case GateKind.AVERAGE:
                    values = _over_rows(edges_KGJN / edges_KGJN.sum(-1, keepdim=True).clamp(min=1), num_rows)
                case _:
                    values = _over_rows(edges_KGJN, num_rows)
            if len(self.gates) == 1:
                return values
            share = values * _over_rows(gates_KGJA[..., index : index + 1], num_rows)
            total = share if total is None else total + share
        if total is None:
            return _over_rows(edges_KGJN, num_rows)
        single = (edges_KGJN.sum(-1, keepdim=True) == 1) & (gates_KGJA.sum(-1, keepdim=True) == 0)
        return total + _over_rows(edges_KGJN * single, num_rows)

    def _softmax(
        self,
        h_KNBW: Tensor,
        queries: Mapping[str, Tensor],
        selection: Selection,
        edges_KGJN: Tensor,
        stopped_KJNB: Tensor | None,
    ) -> Tensor:
        """Softmax over the active sources: e^logit * edge / sum(e^logit * edge), for relaxed edges as well.

        Zeros, with finite gradients, where no source is active.
        """
        num_rows = h_KNBW.shape[2]
        edges = _over_rows(edges_KGJN, num_rows)
        query_KGJQ = selection.queries[..., self.query_at]
        logits: Tensor | None = None
        for index, query in enumerate(self.queries):
            found = self._logits(query, h_KNBW, queries, edges, stopped_KJNB)
            if len(self.queries) > 1:
                found = found * _over_rows(query_KGJQ[..., index : index + 1], num_rows)
            logits = found if logits is None else logits + found
        assert logits is not None
        highest = logits.detach().masked_fill(edges == 0, -torch.inf).amax(2, keepdim=True)
        shift = highest.where(highest > -torch.inf, logits.detach().amax(2, keepdim=True))
        weighted = (logits - shift).clamp(max=60).exp() * edges
        total = weighted.sum(2, keepdim=True)
        return weighted / total.where(total > 0, 1)

    def _logits(
        self,
        query: str,
        h_KNBW: Tensor,
        queries: Mapping[str, Tensor],
        edges_KJNB: Tensor,
        stopped_KJNB: Tensor | None,
    ) -> Tensor:
        key = _key(query)
        bias: Tensor = self.biases[key].unsqueeze(-1)
        if query == STATIC_QUERY:
            return bias
        weight_KJDN: Tensor = self.weights[key]
        if query == MEAN_QUERY:
            mean_KJBD = mix(edges_KJNB / edges_KJNB.sum(2, keepdim=True).clamp(min=1), h_KNBW, stopped_KJNB)
            return (mean_KJBD @ weight_KJDN).transpose(2, 3) + bias
        if query == INPUT_QUERY or query.startswith(JUNCTION_QUERY):
            vector_KBD = queries[query]
            K, J, D, N = weight_KJDN.shape
            wide = vector_KBD @ weight_KJDN.transpose(1, 2).reshape(K, D, J * N)
            return wide.view(K, -1, J, N).permute(0, 2, 3, 1) + bias
        raise AssertionError(query)


def mix(values_KJNB: Tensor, h_KNBW: Tensor, stopped_KJNB: Tensor | None = None) -> Tensor:
    """``[K, J, B, W]``: sums of sources [K, N, B, W] weighted by values [K, J, N, B or 1].

    No gradient reaches a source through a connection that is ``stopped`` (1); the value is the same.
    """
    if stopped_KJNB is not None:
        return mix(values_KJNB * (1 - stopped_KJNB), h_KNBW) + mix(values_KJNB * stopped_KJNB, h_KNBW.detach())
    values = values_KJNB.unsqueeze(-1).unbind(2)
    sources = h_KNBW.unsqueeze(1).unbind(2)
    mixed = values[0] * sources[0]
    for value, source in zip(values[1:], sources[1:], strict=True):
        mixed = torch.addcmul(mixed, value, source)
    return mixed


def _key(query: str) -> str:
    """A query as the name of a parameter, which must not hold a dot; no node's name holds a slash."""
    return query.replace(".", "/")


def _over_rows(choice_KGJN: Tensor, num_rows: int) -> Tensor:
    """Per route group to per row: ``[K, G, J, N]`` to ``[K, J, N, B]``, or B = 1 for one group."""
    G = choice_KGJN.shape[1]
    moved = choice_KGJN.permute(0, 2, 3, 1)
    return moved if G == 1 else moved.repeat_interleave(num_rows // G, dim=3)
