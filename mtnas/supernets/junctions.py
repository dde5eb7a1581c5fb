"""Groups of like junctions: their sources, transformations and gates, applied as batched products.

Legend: K pack, G route groups, J junctions, R distinct source lists (each read by J/R junctions in a row), N sources,
B batch, D query width, W width of the sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from mtnas.errors import SpaceError
from mtnas.routes import GateKind, Junction
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY
from mtnas.supernets.activations import Activations
from mtnas.supernets.banks.recurrent_banks import rows_of_steps, sequences_of
from mtnas.supernets.choice_layout import Layout
from mtnas.supernets.draws import Draws
from mtnas.supernets.gates import (
    AttentionGate,
    BinaryGate,
    ControllerGate,
    DSelectGate,
    FreeGate,
    Gate,
    Gated,
    HardConcreteGate,
    Mixing,
    SoftmaxGate,
)
from mtnas.supernets.gates.gate import over_rows
from mtnas.supernets.initial import Initial
from mtnas.supernets.inputs.encoded_inputs import Inputs
from mtnas.supernets.own_rows import RowsOf
from mtnas.supernets.plan import source_names
from mtnas.supernets.selection import Selection

_UNWEIGHTED = (GateKind.SUM, GateKind.AVERAGE)
_ONE_FOR_ONE_INPUT = (*_UNWEIGHTED, GateKind.SOFTMAX, GateKind.CONTROLLER)


class JunctionGroup(nn.Module):
    """Junctions with equally many sources under the same gates and kinds of query.

    Args:
        junctions: those with the same sources in a row, equally many for each list of sources.
        own: per junction and source whether the source belongs to the junction's only reader.
        layout: where the choices stand in a selection.
        widths: widths of the queries by name; that of the sources under ``mean``.
        rows: whose rows the junctions work on.
        encoder: what the query ``input`` reads.
        initial: draws the weights.
    """

    edge_at: Tensor
    gate_at: Tensor
    query_at: Tensor

    def __init__(
        self,
        junctions: Sequence[Junction],
        own: Sequence[Sequence[bool]],
        layout: Layout,
        widths: Mapping[str, int],
        rows: RowsOf,
        encoder: str,
        initial: Initial,
    ) -> None:
        super().__init__()
        tasks = [rows.task_of_junction(junction.name) for junction in junctions]
        self.encoder_rows = tuple(rows.node(encoder, task) for task in tasks) if tasks[0] is not None else None
        self.names = tuple(junction.name for junction in junctions)
        self.sources_of = tuple(junction.sources for junction in junctions)
        self.source_lists = tuple(dict.fromkeys(source_names(junction, rows) for junction in junctions))
        mixes = len(self.sources_of[0]) > 1
        self.steps = junctions[0].steps if mixes else 1
        if self.steps > 1:
            widths = _step_widths(widths, junctions)
        self.gates = tuple(gate for gate in junctions[0].gates if gate is not GateKind.PASS) if mixes else ()
        asks = any(gate.takes_query for gate in self.gates)
        self.queries_of = tuple(junction.queries if asks else () for junction in junctions)
        self.queried = tuple(
            tuple(
                rows.junction(q.removeprefix(JUNCTION_QUERY), task) if q.startswith(JUNCTION_QUERY) else q
                for q in asked
            )
            for asked, task in zip(self.queries_of, tasks, strict=True)
        )
        self.kinds = nn.ModuleDict()
        for gate in self.gates:
            if gate not in _UNWEIGHTED:
                self.kinds[gate] = _make_gate(gate, junctions, self.queries_of, own, widths, initial)
        self.transformed = tuple(at for at, edge in enumerate(junctions[0].edges) if edge.transform)
        self.transforms: nn.Parameter | None = None
        if self.transformed:
            self.transforms = _transforms(junctions, widths["mean"], initial)
        self._address("edge_at", [[layout.edges[j.name, source] for source in j.sources] for j in junctions])
        self._address("gate_at", [[layout.gates[name, gate] for gate in self.gates] for name in self.names])
        queries = zip(self.names, self.queries_of, strict=True)
        self._address("query_at", [[layout.queries[name, q] for q in asked] for name, asked in queries])

    def _address(self, name: str, positions: list[list[int]]) -> None:
        self.register_buffer(name, torch.tensor(positions, dtype=torch.long), persistent=False)

    def forward(
        self, nodes: Activations, mixed: Activations, inputs: Inputs, selection: Selection, draws: Draws | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Mixed inputs ``[K, J, B, W]``, and the gates' terms for the loss ``[K, G]`` by name.

        Args:
            nodes: outputs of encoders and slots so far.
            mixed: outputs of junctions so far.
            inputs: the encoder's vector, for the query ``input``.
            selection: which edges are active, how, and the gates' settings.
            draws: random numbers, None outside training.
        """
        mixing = self._mixing(nodes, mixed, inputs, selection, draws)
        if len(self.sources_of[0]) == 1:
            return self._lone(mixing), {}
        gated = self._gated(mixing)
        outputs = mixing.weighted(gated.values)
        outputs = outputs if self.steps == 1 else sequences_of(outputs, self.steps)
        return outputs, {name: term.sum(-1) for name, term in gated.penalties.items()}

    def input_maps(self) -> Sequence[Tensor]:
        """Weights ``[K, J, D, X]`` that multiply the encoder's whole vector, of all rows."""
        if self.encoder_rows is not None or self.steps > 1:
            return ()
        return [weight for gate in self.kinds.values() if isinstance(gate, Gate) for weight in gate.input_maps()]

    def values(
        self, nodes: Activations, mixed: Activations, inputs: Inputs, selection: Selection, draws: Draws | None
    ) -> Tensor:
        """Values of the connections ``[K, J, N, B or 1]``, for whoever wants to look at them.

        Where sequences are mixed, B counts their steps: those of the first row, then those of the second.
        """
        return self._gated(self._mixing(nodes, mixed, inputs, selection, draws)).values

    def _mixing(
        self, nodes: Activations, mixed: Activations, inputs: Inputs, selection: Selection, draws: Draws | None
    ) -> Mixing:
        read = nodes.get([source for sources in self.source_lists for source in sources])
        sources = self._by_step(read.view(len(read), len(self.source_lists), -1, *read.shape[2:]))
        num_rows = sources.shape[3]
        stopped = stopped_sources = None
        if selection.forward_only is not None:
            stopped = over_rows(selection.forward_only[..., self.edge_at], num_rows)
            stopped_sources = self._transformed(sources.detach())
        edges = selection.edges[..., self.edge_at]
        return Mixing(
            sources=self._transformed(sources),
            stopped_sources=stopped_sources,
            edges=over_rows(edges, num_rows),
            stopped=stopped,
            group_edges=edges,
            query_choice=over_rows(selection.queries[..., self.query_at], num_rows),
            queries=tuple(self._query(position, nodes, mixed, inputs) for position in range(len(self.queries_of[0]))),
            inputs=inputs,
            selection=selection,
            draws=draws,
        )

    def _query(self, position: int, nodes: Activations, mixed: Activations, inputs: Inputs) -> Tensor | None:
        """``[K, J or 1, B, D]`` of other junctions, or of the encoder for rows of some tasks alone or for steps."""
        first = self.queries_of[0][position]
        if first == INPUT_QUERY:
            if self.encoder_rows is not None:
                return self._by_step(nodes.get(self.encoder_rows))
            return None if self.steps == 1 else self._by_step(inputs.for_copies(inputs.vector, 1).unsqueeze(1))
        if not first.startswith(JUNCTION_QUERY):
            return None
        names = [asked[position] for asked in self.queried]
        return self._by_step(mixed.get(names[:1] if len(set(names)) == 1 else names))

    def _by_step(self, x: Tensor) -> Tensor:
        """Sequences as rows, one per step, where the junctions mix step by step."""
        return x if self.steps == 1 else rows_of_steps(x, self.steps)

    def _transformed(self, sources_KRNBW: Tensor) -> Tensor:
        """Every junction's own products with its sources, ``[K, J, N, B, W]``, where edges have them."""
        if self.transforms is None:
            return sources_KRNBW
        sources_KJNBW = sources_KRNBW.repeat_interleave(len(self.names) // len(self.source_lists), 1)
        if len(self.transformed) == sources_KJNBW.shape[2]:
            return sources_KJNBW @ self.transforms
        sources = list(sources_KJNBW.unbind(2))
        for at, transform in zip(self.transformed, self.transforms.unbind(2), strict=True):
            sources[at] = sources[at] @ transform
        return torch.stack(sources, dim=2)

    def _lone(self, mixing: Mixing) -> Tensor:
        """The only source of every junction."""
        if mixing.stopped is not None or mixing.sources.shape[1] not in (1, len(self.names)):
            return mixing.weighted(torch.ones_like(mixing.edges))
        return mixing.sources.squeeze(2).expand(-1, len(self.names), -1, -1)

    def _gated(self, mixing: Mixing) -> Gated:
        """Values under the gate that each junction uses; where it uses none, the edges themselves."""
        if len(self.gates) == 1 and self.gates[0] in _ONE_FOR_ONE_INPUT:
            return self._of_kind(self.gates[0], mixing)
        shares_KGJA = mixing.selection.gates[..., self.gate_at]
        values = mixing.edges * over_rows(1 - shares_KGJA.sum(-1, keepdim=True), mixing.num_rows)
        penalties: dict[str, Tensor] = {}
        for index, gate in enumerate(self.gates):
            share_KGJ = shares_KGJA[..., index]
            found = self._of_kind(gate, mixing)
            values = values + found.values * over_rows(share_KGJ.unsqueeze(-1), mixing.num_rows)
            for name, term in found.penalties.items():
                penalties[name] = penalties.get(name, 0) + term * share_KGJ
        return Gated(values=values, penalties=penalties)

    def _of_kind(self, gate: GateKind, mixing: Mixing) -> Gated:
        if gate is GateKind.SUM:
            return Gated(values=mixing.edges)
        if gate is GateKind.AVERAGE:
            return Gated(values=mixing.edges / mixing.edges.sum(2, keepdim=True).clamp(min=1))
        found: Gated = self.kinds[gate](mixing)
        return found


def _step_widths(widths: Mapping[str, int], junctions: Sequence[Junction]) -> dict[str, int]:
    """Widths of a step.

    Raises:
        SpaceError: a query that is no sequence of so many steps.
    """
    steps = junctions[0].steps
    for junction in junctions:
        for query in ("mean", *junction.queries):
            if widths[query] % steps:
                where = f"junction {junction.name}, query {query}"
                raise SpaceError(expected=f"sequences of {steps} steps", found=f"width {widths[query]}", where=where)
    return {name: width // steps for name, width in widths.items()}


def _make_gate(
    kind: GateKind,
    junctions: Sequence[Junction],
    queries: Sequence[tuple[str, ...]],
    own: Sequence[Sequence[bool]],
    widths: Mapping[str, int],
    initial: Initial,
) -> Gate:
    names, num_sources = [junction.name for junction in junctions], len(junctions[0].sources)
    match kind:
        case GateKind.SOFTMAX | GateKind.BINARY:
            of_query = [widths[query] for query in queries[0]]
            kind_of = SoftmaxGate if kind is GateKind.SOFTMAX else BinaryGate
            return kind_of(names, queries, of_query, num_sources, initial)
        case GateKind.FREE:
            return FreeGate(names, own, initial)
        case GateKind.HARD_CONCRETE:
            return HardConcreteGate(names, num_sources, initial)
        case GateKind.DSELECT_K:
            selectors, width = junctions[0].selectors, widths[queries[0][0]]
            return DSelectGate(names, queries, width, num_sources=num_sources, selectors=selectors, initial=initial)
        case GateKind.CONTROLLER:
            of_query = [widths[query] for query in queries[0]]
            return ControllerGate(names, queries, of_query, num_sources, rank=junctions[0].rank, initial=initial)
        case GateKind.ATTENTION:
            return AttentionGate(names, widths["mean"], initial)
        case GateKind.PASS | GateKind.SUM | GateKind.AVERAGE:
            raise AssertionError(kind)


def _transforms(junctions: Sequence[Junction], width: int, initial: Initial) -> nn.Parameter:
    """``[K, J, edges with one, W, W]``, drawn so that products keep the variance."""
    sites = [f"{j.name}/{edge.source}/transform" for j in junctions for edge in j.edges if edge.transform]
    drawn = initial.uniform(sites, (width, width), sqrt(3 / width))
    return nn.Parameter(drawn.view(len(drawn), len(junctions), -1, width, width))
