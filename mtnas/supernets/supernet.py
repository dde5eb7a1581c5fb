"""The Supernet: one module whose weights serve every route of a graph, for K candidates at once.

A pack is a supernet with K > 1; a frozen route is a supernet of a narrowed graph with K = 1.

Legend: K pack, S slots, B batch, W width, O outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from mtnas.errors import SpaceError
from mtnas.routes import InputShape, RouteGraph
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, MEAN_QUERY
from mtnas.supernets.activations import Activations
from mtnas.supernets.alignment import SharedDraws, TaskAlignment
from mtnas.supernets.banks import DropoutNoise, make_bank
from mtnas.supernets.encoder import Encoder, Features
from mtnas.supernets.initial import Initial
from mtnas.supernets.junctions import JunctionGroup
from mtnas.supernets.layout import Layout
from mtnas.supernets.plan import SlotGroup, plan
from mtnas.supernets.selection import Selection
from mtnas.supernets.towers import TowerGroup


class Supernet(nn.Module):
    """Weights for every route of a graph; ``supernet(batch, selection)`` runs the routes it is told.

    Every parameter has the pack axis K first. Nothing about the active route is kept in the module.

    Args:
        graph: what routes may use.
        inputs: shape of the batches' features.
        seeds: one seed of initial weights per candidate; their number is K.
        device: where the weights live.
        dtype: their type.
        aligned: whether every task has a matrix of its own between the encoder and the rest.

    Raises:
        SpaceError: widths that do not fit together, or several encoders (not built yet).
    """

    def __init__(
        self,
        graph: RouteGraph,
        inputs: InputShape,
        seeds: Sequence[int],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        if len(graph.encoders) != 1:
            found = str([encoder.name for encoder in graph.encoders])
            raise SpaceError(expected="one encoder", found=found, where="graph")
        self.graph = graph
        self.inputs = inputs
        self.layout = Layout.of(graph)
        self._plan = plan(graph, inputs)
        initial = Initial(seeds=tuple(seeds), device=device, dtype=dtype)
        self.encoder = Encoder(graph.encoders[0].name, inputs, initial)
        self.gates, self.banks, self.tower_groups = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleList()
        for number, layer in enumerate(self._plan.layers):
            for index, junctions in enumerate(layer.junctions):
                widths = self._query_widths() | {MEAN_QUERY: self._plan.widths[junctions[0].name]}
                group = JunctionGroup(junctions, self.layout, widths, initial)
                self.gates[f"{number}_{index}"] = group
            for index, slots in enumerate(layer.slots):
                sites = [f"{slot.weights_of}/{slots.block.text}" for slot in slots.slots]
                self.banks[f"{number}_{index}"] = make_bank(sites, slots.block, slots.in_width, initial)
        for in_width, towers in self._plan.towers:
            self.tower_groups.append(TowerGroup(towers, in_width, initial))
        self.alignment = TaskAlignment(graph.tasks, inputs.width, initial) if aligned else None
        self.to(device)

    def forward(self, batch: Features, selection: Selection, noise: DropoutNoise | None = None) -> tuple[Tensor, ...]:
        """Outputs of every task's tower, in the graph's order: ``[K, B, O_t]`` each.

        ``noise`` is for training only: without it nothing is dropped.
        """
        return self.read_out(self.trunk(batch, selection, noise))

    def read_out(self, mixed: Activations) -> tuple[Tensor, ...]:
        """The towers' outputs for a trunk's."""
        outputs: dict[str, Tensor] = {}
        for towers in self.tower_groups:
            assert isinstance(towers, TowerGroup)
            outputs |= dict(zip(towers.tasks, towers(self.tower_inputs(mixed, towers)).unbind(1), strict=True))
        return tuple(outputs[task] for task in self.graph.tasks)

    def tower_inputs(self, mixed: Activations, towers: TowerGroup) -> Tensor:
        """What these towers read of a trunk's outputs: ``[K, T, B, W]``."""
        x_KTRW = mixed.get(towers.reads)
        return x_KTRW if self.alignment is None else self.alignment.own_rows(x_KTRW, towers.tasks)

    def trunk(self, batch: Features, selection: Selection, noise: DropoutNoise | None = None) -> Activations:
        """Outputs of all junctions ``[K, 1, B, W]`` by name; with alignment the rows are there once for every task."""
        encoded_KBW = self.encoder(batch)
        if self.alignment is not None:
            encoded_KBW = self.alignment(encoded_KBW, selection)
            noise = None if noise is None else SharedDraws(noise, len(self.graph.tasks))
        nodes, mixed = Activations(), Activations()
        nodes.put((self.graph.encoders[0].name,), encoded_KBW.unsqueeze(1))
        for number, layer in enumerate(self._plan.layers):
            for index in range(len(layer.junctions)):
                group = self.gates[f"{number}_{index}"]
                assert isinstance(group, JunctionGroup)
                queries = self._query_vectors(group, encoded_KBW, mixed)
                mixed.put(group.names, group(nodes.get(group.sources), queries, selection))
            self._run_slots(number, layer.slots, nodes, mixed, selection, noise)
        return mixed

    def slot_banks(self) -> Iterator[tuple[SlotGroup, nn.Module]]:
        """Every group of slots with the bank that holds its weights."""
        for number, layer in enumerate(self._plan.layers):
            for index, group in enumerate(layer.slots):
                yield group, self.banks[f"{number}_{index}"]

    def _run_slots(
        self,
        number: int,
        groups: Sequence[SlotGroup],
        nodes: Activations,
        mixed: Activations,
        selection: Selection,
        noise: DropoutNoise | None,
    ) -> None:
        shares: dict[str, list[Tensor]] = {}
        for index, group in enumerate(groups):
            names = tuple(slot.name for slot in group.slots)
            bank = self.banks[f"{number}_{index}"]
            reads = tuple(slot.reads for slot in group.slots)
            read_together = len(set(reads)) == 1
            x = mixed.get(reads[:1] if read_together else reads)
            outputs: Tensor = bank(x, noise).expand(-1, len(names), -1, -1)
            if all(len(slot.choices) == 1 for slot in group.slots):
                nodes.put(names, outputs)
                continue
            weighted = outputs * self._block_choice(group, selection, outputs.shape[2])
            for slot, share in zip(group.slots, weighted.unbind(1), strict=True):
                shares.setdefault(slot.name, []).append(share)
        for name, parts in shares.items():
            nodes.put((name,), torch.stack(parts).sum(0).unsqueeze(1))

    def _block_choice(self, group: SlotGroup, selection: Selection, num_rows: int) -> Tensor:
        """How much of this group's block each slot takes, ``[K, S, B or 1, 1]``."""
        positions = [self.layout.blocks[slot.name, group.block.text] for slot in group.slots]
        choice_KGS = selection.blocks[..., positions]
        if selection.num_groups > 1:
            choice_KGS = choice_KGS.repeat_interleave(num_rows // selection.num_groups, 1)
        return choice_KGS.transpose(1, 2).unsqueeze(-1)

    def _query_widths(self) -> dict[str, int]:
        widths = {f"{JUNCTION_QUERY}{name}": self._plan.widths[name] for name in self.graph.junction_of()}
        return widths | {INPUT_QUERY: self.inputs.width}

    def _query_vectors(self, group: JunctionGroup, encoded: Tensor, mixed: Activations) -> Mapping[str, Tensor]:
        asked = [query for query in group.queries if query.startswith(JUNCTION_QUERY)]
        return {INPUT_QUERY: encoded} | {query: mixed.one(query.removeprefix(JUNCTION_QUERY)) for query in asked}
