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
from mtnas.supernets.activations import Activations, Trunk
from mtnas.supernets.banks.bank import Bank
from mtnas.supernets.banks.block_banks import make_bank
from mtnas.supernets.banks.slots import run_slots
from mtnas.supernets.banks.towers import TowerGroup, product_logit, starting_outputs
from mtnas.supernets.choice_layout import Layout
from mtnas.supernets.draws import Draws
from mtnas.supernets.initial import Initial
from mtnas.supernets.inputs.alignment_matrices import SharedDraws, TaskAlignment
from mtnas.supernets.inputs.encoded_inputs import Inputs
from mtnas.supernets.inputs.encoder import Encoder, Features, TableRows
from mtnas.supernets.junctions import JunctionGroup
from mtnas.supernets.own_rows import RowsOf
from mtnas.supernets.plan import SlotGroup, own_sources, plan, query_widths
from mtnas.supernets.selection import Selection


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
        own_rows: whether the batches' rows belong to the tasks in turn, row r to task r mod T; towers then give
            outputs for their own rows alone.
        rates: what towers start at, by task (``Task.rates``); ``None`` starts all at zero.

    Raises:
        SpaceError: widths that do not fit together, several encoders or rows of tasks under alignment, or products
            of tasks' probabilities where rows belong to tasks.
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
        own_rows: bool = False,
        rates: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        if aligned and own_rows:
            raise SpaceError(expected="rows of all tasks under alignment", found="rows of one each", where="supernet")
        if aligned and len(graph.encoders) != 1:
            found = str([encoder.name for encoder in graph.encoders])
            raise SpaceError(expected="one encoder under alignment", found=found, where="graph")
        self.graph = graph
        self.inputs = inputs
        self.layout = Layout.of(graph)
        self.own_rows, self._rows = own_rows, RowsOf(graph, own=own_rows)
        self._plan = plan(graph, inputs, self._rows)
        initial = Initial(seeds=tuple(seeds), device=device, dtype=dtype)
        self.encoder = Encoder(graph.encoders[0].name, inputs, initial)
        self.more_encoders = nn.ModuleDict(
            {encoder.name.replace(".", "/"): Encoder(encoder.name, inputs, initial) for encoder in graph.encoders[1:]}
        )
        self.gates, self.banks, self.tower_groups = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleList()
        for number, layer in enumerate(self._plan.layers):
            for index, junctions in enumerate(layer.junctions):
                widths = query_widths(graph, self._plan.widths, junctions)
                own = [own_sources(graph, junction) for junction in junctions]
                self.gates[f"{number}_{index}"] = JunctionGroup(
                    junctions, own, self.layout, widths, self._rows, graph.encoders[0].name, initial
                )
        for bank in self._plan.banks:
            sites = [f"{instance}/{bank.block.text}" for instance in bank.instances]
            self.banks[bank.key] = make_bank(sites, bank.block, bank.in_width, initial)
        starts = starting_outputs(graph.towers, rates or {})
        for in_width, towers in self._plan.towers:
            self.tower_groups.append(TowerGroup(towers, in_width, initial, starts=starts))
        self._choice_at: dict[SlotGroup, str] = {}  # buffers with the positions of a group's block in a selection
        for group, _ in self.slot_banks():
            if any(len(slot.choices) > 1 for slot in group.slots):
                positions = [self.layout.blocks[slot.name, group.block.text] for slot in group.slots]
                self._choice_at[group] = f"choice_at_{len(self._choice_at)}"
                self.register_buffer(self._choice_at[group], torch.tensor(positions), persistent=False)
        self.alignment = TaskAlignment(graph.tasks, inputs.width, initial) if aligned else None
        self._on_inputs = frozenset(self._groups_on_inputs())
        self._hold_frozen()
        self.to(device)

    def forward(
        self, batch: Features, selection: Selection, noise: Draws | None = None, *, copies: int = 1
    ) -> tuple[Tensor, ...]:
        """Outputs of every task's tower, in the graph's order: ``[K, B, O_t]`` each, or for its own rows alone.

        ``noise`` is for training only: without it nothing is dropped. ``copies``: see :meth:`trunk`.
        """
        return self.read_out(self.trunk(batch, selection, noise, copies=copies))

    def read_out(self, mixed: Activations) -> tuple[Tensor, ...]:
        """The towers' outputs for a trunk's."""
        outputs: dict[str, Tensor] = {}
        for towers in self.tower_groups:
            assert isinstance(towers, TowerGroup)
            outputs |= dict(zip(towers.tasks, towers(self.tower_inputs(mixed, towers)).unbind(1), strict=True))
        for tower in self.graph.towers:
            if tower.product_of is not None:
                outputs[tower.task] = product_logit(outputs[tower.task], outputs[tower.product_of])
        return tuple(outputs[task] for task in self.graph.tasks)

    def tower_inputs(self, mixed: Activations, towers: TowerGroup) -> Tensor:
        """What these towers read of a trunk's outputs: ``[K, T, B, W]``."""
        named = zip(towers.reads, towers.tasks, strict=True)
        x_KTRW = mixed.get([self._rows.junction(name, task) for name, task in named])
        return x_KTRW if self.alignment is None else self.alignment.own_rows(x_KTRW, towers.tasks)

    def trunk(
        self,
        batch: Features,
        selection: Selection,
        noise: Draws | None = None,
        large: Sequence[TableRows | None] | None = None,
        *,
        copies: int = 1,
    ) -> Trunk:
        """Outputs of all junctions ``[K, 1, B, W]`` by name, and the gates' terms for the loss.

        With alignment the rows are there once for every task. ``large``: for every encoder what stands in for its large
        tables (``mtnas.training.step.large_tables``), ``None`` where nothing does. ``copies``: as if the batch held its
        rows so often, one copy after another, for route groups that read the same; without noise and alignment.

        Raises:
            SpaceError: a selection of another pack or graph, rows that its groups do not divide, or copies under noise
                or alignment.
        """
        K = selection.edges.shape[0]  # an encoder without tables gives what the batch holds, once for all
        if copies > 1 and (noise is not None or self.alignment is not None):
            raise SpaceError(expected="one copy under noise or alignment", found=f"{copies} copies", where="rows")
        self._check_agreement(selection, num_rows=batch.numeric.shape[1] * copies)
        rows = [None] * len(self.encoders) if large is None else large
        encoded_KBW = self.encoder(batch, rows[0]).expand(K, -1, -1)
        if self.alignment is not None:
            encoded_KBW = self.alignment(encoded_KBW, selection)
            noise = None if noise is None else SharedDraws(noise, len(self.graph.tasks))
        tasks = self.graph.tasks if self.own_rows else ()
        nodes, mixed = Activations(tasks), Trunk(tasks)
        inputs = Inputs(encoded_KBW, self._input_maps(selection), copies=copies)
        nodes.put((self.graph.encoders[0].name,), inputs.for_copies(encoded_KBW, 1).unsqueeze(1))
        for encoder, module, stand_in in zip(self.graph.encoders[1:], self.encoders[1:], rows[1:], strict=True):
            further_KBW = module(batch, stand_in).expand(K, -1, -1)
            nodes.put((encoder.name,), inputs.for_copies(further_KBW, 1).unsqueeze(1))
        for number, layer in enumerate(self._plan.layers):
            for index in range(len(layer.junctions)):
                group = self.gates[f"{number}_{index}"]
                assert isinstance(group, JunctionGroup)
                outputs, penalties = group(nodes, mixed, inputs, selection, noise)
                mixed.put(group.names, outputs)
                mixed.penalise(penalties)
            self._run_slots(layer.slots, nodes, mixed, inputs, selection, noise)
        return mixed

    def _check_agreement(self, selection: Selection, *, num_rows: int) -> None:
        K, G, E = selection.edges.shape
        num_candidates = next(self.parameters()).shape[0]
        divisor = G * len(self.graph.tasks) if self.own_rows else G
        if (num_candidates, len(self.layout.edges)) != (K, E) or num_rows % divisor:
            raise SpaceError(
                expected=f"{num_candidates} candidates, {len(self.layout.edges)} edges, route groups that divide "
                f"{num_rows} rows{' of every task alike' if self.own_rows else ''}",
                found=f"{K} candidates, {E} edges, {G} route groups",
                where="selection",
            )

    @property
    def encoders(self) -> tuple[nn.Module, ...]:
        """The encoders, in the graph's order."""
        return (self.encoder, *self.more_encoders.values())

    def slot_banks(self) -> Iterator[tuple[SlotGroup, nn.Module]]:
        """Every group of slots with the bank that holds its weights; ``group.instances`` says where."""
        for layer in self._plan.layers:
            for group in layer.slots:
                yield group, self.banks[self._plan.banks[group.bank].key]

    def _hold_frozen(self) -> None:
        """Frozen nodes keep their weights: no gradient asks for them."""
        held = [module for node, module in zip(self.graph.encoders, self.encoders, strict=True) if node.frozen]
        held += [self.banks[bank.key] for bank in self._plan.banks if bank.frozen]
        for number, layer in enumerate(self._plan.layers):
            frozen = [index for index, junctions in enumerate(layer.junctions) if junctions[0].frozen]
            held += [self.gates[f"{number}_{index}"] for index in frozen]
        groups = zip(self._plan.towers, self.tower_groups, strict=True)
        held += [module for (_, towers), module in groups if towers[0].frozen]
        for module in held:
            module.requires_grad_(False)

    def _run_slots(
        self,
        groups: Sequence[SlotGroup],
        nodes: Activations,
        mixed: Activations,
        inputs: Inputs,
        selection: Selection,
        noise: Draws | None,
    ) -> None:
        shares: dict[str, list[Tensor]] = {}
        for group in groups:
            names = tuple(slot.name for slot in group.slots)
            weights = self._plan.banks[group.bank]
            bank = self.banks[weights.key]
            assert isinstance(bank, Bank)
            draws = None if weights.frozen else noise
            if group in self._on_inputs and selection.forward_only is None:
                outputs = inputs.for_copies(bank.on_inputs(inputs, draws), 2).expand(-1, len(names), -1, -1)
            else:
                outputs = run_slots(bank, len(weights.instances), group, mixed, draws)
            if all(len(slot.choices) == 1 for slot in group.slots):
                nodes.put(names, outputs)
                continue
            weighted = outputs * self._block_choice(group, selection, outputs.shape[2])
            for slot, share in zip(group.slots, weighted.unbind(1), strict=True):
                shares.setdefault(slot.name, []).append(share)
        for name, parts in shares.items():
            nodes.put((name,), torch.stack(parts).sum(0).unsqueeze(1))

    def _groups_on_inputs(self) -> Iterator[SlotGroup]:
        """Groups with a bank of their own that read the first encoder's vector as it is, for all rows."""
        names = (self.graph.encoders[0].name,)
        passing = {
            junction.name
            for junction in self.graph.junctions
            if junction.sources == names
            and not junction.edges[0].transform
            and self._rows.task_of_junction(junction.name) is None
        }
        for group, _ in self.slot_banks():
            whole = group.instances == tuple(range(len(self._plan.banks[group.bank].instances)))
            if whole and len(set(group.reads)) == 1 and group.reads[0] in passing:
                yield group

    def _input_maps(self, selection: Selection) -> list[Tensor]:
        """Weights of all that multiplies the first encoder's vector."""
        maps: list[Tensor] = []
        for group, bank in self.slot_banks():
            if group in self._on_inputs and selection.forward_only is None:
                assert isinstance(bank, Bank)
                maps += bank.input_maps()
        for gates in self.gates.values():
            assert isinstance(gates, JunctionGroup)
            maps += gates.input_maps()
        return maps

    def _block_choice(self, group: SlotGroup, selection: Selection, num_rows: int) -> Tensor:
        """How much of this group's block each slot takes, ``[K, S, B or 1, 1]``."""
        choice_KGS = selection.blocks.index_select(-1, self.get_buffer(self._choice_at[group]))
        if selection.num_groups > 1:
            choice_KGS = choice_KGS.repeat_interleave(num_rows // selection.num_groups, 1)
        return choice_KGS.transpose(1, 2).unsqueeze(-1)
