"""How much of the supernet the tasks are expected to use, given the probability of every edge.

Edges count as independent, and so do the paths that lead to a slot: exact for trees, an upper bound elsewhere.

Legend: K pack, T tasks, S slots, I instances (tied slots are one), J junctions, E edges, C blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtnas.routes import InputShape, RouteGraph
from mtnas.routes.widths import node_widths
from mtnas.supernets import Layout, Selection

_SURE = 1 - 1e-6  # the logarithm of 1 - p must stay finite


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One layer of slots: the edges that leave it upwards, and the junctions that it reads."""

    edges: Tensor
    junction_of_edge: Tensor
    slot_of_edge: Tensor
    slots: Tensor
    reads: Tensor


class ExpectedUse:
    """The probability that tasks reach slots, for routes whose edges are on with given probabilities."""

    def __init__(
        self, graph: RouteGraph, inputs: InputShape, device: torch.device, *, dtype: torch.dtype = torch.float32
    ) -> None:
        """Lay out the graph.

        Args:
            graph: of the search space.
            inputs: shape of the data's features.
            device: where to compute.
            dtype: of the probabilities.
        """
        self.graph = graph
        layout = Layout.of(graph)
        self._place = {slot.name: index for index, slot in enumerate(graph.slots)}
        self._junctions = {junction.name: index for index, junction in enumerate(graph.junctions)}

        def tensor(positions: Sequence[int]) -> Tensor:
            return torch.tensor(positions, dtype=torch.long, device=device)

        self._steps = []
        for layer in sorted({slot.layer for slot in graph.slots}, reverse=True):
            members = [slot for slot in graph.slots if slot.layer == layer]
            names = {slot.name for slot in members}
            edges = [(j.name, source) for j in graph.junctions for source in j.sources if source in names]
            self._steps.append(
                _Step(
                    edges=tensor([layout.edges[edge] for edge in edges]),
                    junction_of_edge=tensor([self._junctions[name] for name, _ in edges]),
                    slot_of_edge=tensor([self._place[source] for _, source in edges]),
                    slots=tensor([self._place[slot.name] for slot in members]),
                    reads=tensor([self._junctions[slot.reads] for slot in members]),
                )
            )
        self._start_TJ = torch.zeros(len(graph.towers), len(graph.junctions), device=device, dtype=dtype)
        for task, tower in enumerate(graph.towers):
            self._start_TJ[task, self._junctions[tower.reads]] = 1
        instances = {name: i for i, name in enumerate(dict.fromkeys(slot.weights_of for slot in graph.slots))}
        self._instance_of = tensor([instances[slot.weights_of] for slot in graph.slots])
        self._num_instances = len(instances)
        sizes_SC, self._block_at = _sizes(graph, inputs, layout, device)
        self._sizes_SC = sizes_SC.to(dtype)
        tied = Counter(slot.weights_of for slot in graph.slots)
        self._share_S = torch.tensor([1 / tied[slot.weights_of] for slot in graph.slots], device=device, dtype=dtype)
        everything = torch.ones(1, len(layout.edges), device=device, dtype=dtype)
        self.reachable_TS = (self.reach(everything)[0] > 0).to(dtype)

    def reach(self, edges_KE: Tensor) -> Tensor:
        """Probabilities ``[K, T, S]`` that a task's tower reaches a slot."""
        K, T = len(edges_KE), len(self._start_TJ)
        missed_KTJ = torch.log1p(-self._start_TJ * _SURE).expand(K, -1, -1).clone()
        missed_KTS = edges_KE.new_zeros(K, T, len(self._place))
        for step in self._steps:
            junction_KTE = -torch.expm1(missed_KTJ.index_select(2, step.junction_of_edge))
            along_KTE = (junction_KTE * edges_KE.index_select(1, step.edges).unsqueeze(1)).clamp(max=_SURE)
            missed_KTS = missed_KTS.index_add(2, step.slot_of_edge, torch.log1p(-along_KTE))
            missed_KTJ = missed_KTJ.index_add(2, step.reads, missed_KTS.index_select(2, step.slots))
        return -torch.expm1(missed_KTS)

    def of_each_task(self, selection: Selection) -> Tensor:
        """Share ``[K, T]`` of the slots within a task's reach that it is expected to use."""
        reach_KTS = self.reach(selection.edges[:, 0])
        return (reach_KTS * self.reachable_TS).sum(2) / self.reachable_TS.sum(1)

    def of_parameters(self, selection: Selection) -> Tensor:
        """Share ``[K]`` of the slots' parameters that at least one task is expected to use."""
        unused_KS = torch.log1p(-self.reach(selection.edges[:, 0]).clamp(max=_SURE)).sum(1)
        unused_KI = unused_KS.new_zeros(len(unused_KS), self._num_instances)
        used_KI = -torch.expm1(unused_KI.index_add(1, self._instance_of, unused_KS))
        size_KS = (selection.blocks[:, 0][:, self._block_at] * self._sizes_SC).sum(2)
        most = (self._sizes_SC.amax(1) * self._share_S).sum().clamp(min=1)
        return (used_KI[:, self._instance_of] * size_KS * self._share_S).sum(1) / most


def _sizes(graph: RouteGraph, inputs: InputShape, layout: Layout, device: torch.device) -> tuple[Tensor, Tensor]:
    """Parameters of every slot's blocks ``[S, C]``, and where the blocks stand in a selection; padded with nothing."""
    widths = node_widths(graph, inputs.width)
    most = max(len(slot.choices) for slot in graph.slots)
    sizes = torch.zeros(len(graph.slots), most, device=device)
    places = torch.zeros(len(graph.slots), most, dtype=torch.long, device=device)
    for s, slot in enumerate(graph.slots):
        in_width = widths[slot.reads]
        assert in_width is not None
        for c, block in enumerate(slot.choices):
            sizes[s, c] = block.num_params(in_width)
            places[s, c] = layout.blocks[slot.name, block.text]
    return sizes, places
