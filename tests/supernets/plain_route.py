"""The plain reference: one route as modules in dictionaries, run node by node from the equations of METHODS.md.

Nothing is batched, grouped or shared with ``mtnas.supernets``; it is what every fast form must equal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtnas.routes import GateKind, InputShape, Mix, NumberMaps, Route, RouteGraph
from tests.supernets.batches import RandomFeatures
from tests.supernets.plain_blocks import PlainBlock, plain_block
from tests.supernets.plain_gates import plain_gate


class PlainEncoder(nn.Module):
    """Embeddings or indicators, numbers, mapped numbers, means of bags, beside each other; ``macs`` per row."""

    def __init__(self, inputs: InputShape) -> None:
        super().__init__()
        self.inputs, self.macs = inputs, 0
        tables = zip(inputs.vocabularies, inputs.embedding_widths, strict=True)
        bags = zip(inputs.bag_vocabularies, inputs.bag_widths, strict=True)
        self.tables = nn.ModuleList(
            nn.Identity() if feature in inputs.one_hot else nn.Embedding(rows, width)
            for feature, (rows, width) in enumerate(tables)
        )
        self.numbers = nn.ModuleList()
        if inputs.numbers is not None:
            shared = (
                nn.Linear(inputs.numbers.frequencies, inputs.numbers.width, bias=False)
                if inputs.numbers.shared
                else None
            )
            for place in range(len(inputs.numbers.columns)):
                self.numbers.append(PlainNumber(inputs.numbers, place, shared))
        self.bags = nn.ModuleList(nn.Embedding(rows, width) for rows, width in bags)

    def forward(self, batch: RandomFeatures) -> Tensor:
        parts, numeric = [], batch.numeric[0]
        for c, table in enumerate(self.tables):
            rows = batch.categorical[0, :, c].long()
            if c in self.inputs.one_hot:
                parts += [(rows == row).to(numeric.dtype).unsqueeze(1) for row in range(1, self.inputs.vocabularies[c])]
            else:
                parts.append(table(rows))
        maps = self.inputs.numbers
        taken = () if maps is None else (*maps.columns, *maps.places)
        parts += [numeric[:, column : column + 1] for column in range(numeric.shape[1]) if column not in taken]
        self.macs = 0
        for number in self.numbers:
            parts.append(number(numeric))
            self.macs += number.macs
        for bag, table in zip(batch.bags, self.bags, strict=True):
            zero = torch.zeros(table.embedding_dim, dtype=table.weight.dtype)
            means = [
                sum((table.weight[v] * w for v, w in zip(values, weights, strict=True)), zero)
                for values, weights in zip(bag.values[0], bag.weights[0], strict=True)
            ]
            parts.append(torch.stack(means))
        return torch.cat(parts, dim=-1)


class PlainNumber(nn.Module):
    """A number's vector by its definition: every component of the piecewise-linear encoding, every wave."""

    def __init__(self, maps: NumberMaps, place: int, shared: nn.Linear | None) -> None:
        super().__init__()
        self.column, self.linear = maps.columns[place], nn.Linear(1, maps.width)
        self.macs = maps.width
        self.segments = maps.segments[place] if maps.segments else 0
        if self.segments:
            self.place = maps.places[place]
            self.slopes = nn.Linear(self.segments, maps.width, bias=False)
            self.macs += maps.width  # all components but one are 0 or 1
        if maps.frequencies:
            self.rates, self.phases = (nn.Parameter(torch.randn(maps.frequencies)) for _ in range(2))
            self.waves = shared or nn.Linear(maps.frequencies, maps.width, bias=False)
            self.macs += maps.frequencies + maps.frequencies * maps.width

    def forward(self, numeric: Tensor) -> Tensor:
        x = numeric[:, self.column : self.column + 1]
        found = self.linear(x)
        if self.segments:
            parts = [(numeric[:, self.place] - segment).clamp(0, 1) for segment in range(self.segments)]
            found = found + self.slopes(torch.stack(parts, dim=1))
        if hasattr(self, "waves"):
            found = found + self.waves(torch.cos(2 * torch.pi * self.rates * x + self.phases))
        return found


class PlainRoute(nn.Module):
    """The reachable part of a route, built by recursion from the towers; ``macs`` counts while it runs."""

    def __init__(self, graph: RouteGraph, route: Route, inputs: InputShape, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.graph, self.route, self.inputs = graph, route, inputs
        self.mixes, self.fill, self.slots = route.mix_of(), route.block_of(), graph.slot_of()
        self.junctions = graph.junction_of()
        self.encoders, self.towers, self.gates = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.transforms = nn.ModuleDict()
        self.blocks: dict[tuple[str, str], PlainBlock] = {}
        self.widths: dict[str, int] = {}
        self.junction_widths: dict[str, int] = {}
        self.macs = 0
        for tower in graph.towers:
            widths = (self._junction_width(tower.reads), *tower.hidden, tower.outputs)
            self.towers[tower.task] = nn.ModuleList(
                nn.Linear(widths[depth], widths[depth + 1]) for depth in range(len(widths) - 1)
            )
        self.block_modules = nn.ModuleList(self.blocks.values())
        self.to(dtype)

    def _junction_width(self, name: str) -> int:
        if name in self.junction_widths:
            return self.junction_widths[name]
        junction, mix = self.junctions[name], self.mixes[name]
        widths = {self._node_width(source) for source in mix.inputs}
        assert len(widths) == 1
        width = self.junction_widths[name] = widths.pop()
        for edge in junction.edges:
            if edge.transform and edge.source in mix.inputs:
                self.transforms[_key(f"{name}<-{edge.source}")] = nn.Linear(width, width, bias=False)
        query_widths = {"mean": width}
        if mix.query == "input":
            query_widths["input"] = self._node_width(self.graph.encoders[0].name)
        if mix.query.startswith("junction:"):
            query_widths[mix.query] = self._junction_width(mix.query.removeprefix("junction:"))
        steps = junction.steps
        gate = plain_gate(junction, mix, width // steps, {q: found // steps for q, found in query_widths.items()})
        if gate is not None:
            self.gates[_key(name)] = gate
        return width

    def _node_width(self, name: str) -> int:
        if name not in self.widths:
            if name not in self.slots:
                self.encoders[_key(name)] = PlainEncoder(self.inputs)
                self.widths[name] = self.inputs.width
            else:
                slot, block = self.slots[name], self.fill[name]
                place = (slot.weights_of, block.text)
                width = self._junction_width(slot.reads)
                if place not in self.blocks:
                    self.blocks[place] = plain_block(block, width)
                self.widths[name] = self.blocks[place].out_width
        return self.widths[name]

    def forward(self, batch: RandomFeatures) -> tuple[Tensor, ...]:
        """``[B, O_t]`` per task, for the batch's first data seed."""
        self.macs = 0
        nodes: dict[str, Tensor] = {}
        mixed: dict[str, Tensor] = {}

        def node(name: str) -> Tensor:
            if name not in nodes:
                if name in self.slots:
                    slot, block = self.slots[name], self.blocks[self.slots[name].weights_of, self.fill[name].text]
                    nodes[name] = block(junction(slot.reads))
                    self.macs += block.macs
                else:
                    nodes[name] = self.encoders[_key(name)](batch)
                    self.macs += self.encoders[_key(name)].macs
            return nodes[name]

        def junction(name: str) -> Tensor:
            if name not in mixed:
                mix = self.mixes[name]
                inputs = [self._carried(name, source, node(source)) for source in mix.inputs]
                mixed[name] = self._mixed(name, mix, inputs, self._query(mix, inputs, node, junction))
                self.macs += 0 if mix.gate is GateKind.PASS else inputs[0].shape[-1] * len(inputs)
            return mixed[name]

        outputs: dict[str, Tensor] = {}
        for tower in self.graph.towers:
            h = junction(tower.reads)
            for depth, layer in enumerate(self.towers[tower.task]):
                h = layer(h if depth == 0 else h.relu())
                self.macs += layer.in_features * layer.out_features
            if tower.product_of is not None:
                h = (h.sigmoid() * outputs[tower.product_of].sigmoid()).logit()
            outputs[tower.task] = h
        return tuple(outputs[task] for task in self.graph.tasks)

    def _carried(self, junction: str, source: str, h: Tensor) -> Tensor:
        """What a connection carries: stopped where it is forward-only, multiplied where it has a matrix."""
        if source in self.mixes[junction].forward_only:
            h = h.detach()
        key = _key(f"{junction}<-{source}")
        if key in self.transforms:
            h = self.transforms[key](h)
            self.macs += h.shape[-1] ** 2
        return h

    def _query(self, mix: Mix, inputs: list[Tensor], node, junction) -> Tensor | None:  # type: ignore[no-untyped-def]
        match mix.query:
            case "none" | "static":
                return None
            case "input":
                return node(self.graph.encoders[0].name)
            case "mean":
                return torch.stack(inputs).mean(0)
            case _:
                return junction(mix.query.removeprefix("junction:"))

    def _mixed(self, name: str, mix: Mix, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        """The weighted sum; of sequences (channels x steps) step by step, each as if it were a row."""
        steps, parts = self.junctions[name].steps, []
        for step in range(steps):
            now = [h[:, step::steps] for h in inputs]
            values = self._values(name, mix, now, None if query is None else query[:, step::steps])
            parts.append(sum(value.unsqueeze(-1) * h for value, h in zip(values.unbind(-1), now, strict=True)))
        return torch.stack(parts, dim=2).flatten(1)

    def _values(self, name: str, mix: Mix, inputs: list[Tensor], query: Tensor | None) -> Tensor:
        ones = torch.ones(len(inputs[0]), len(inputs), dtype=inputs[0].dtype)
        if mix.gate is GateKind.AVERAGE:
            return ones / len(inputs)
        if mix.gate in (GateKind.PASS, GateKind.SUM):
            return ones
        gate = self.gates[_key(name)]
        self.macs += gate.macs
        return gate(inputs, query)

    def num_params(self) -> int:
        """Counted, not computed."""
        return sum(parameter.numel() for parameter in self.parameters())


def _key(name: str) -> str:
    """A node's name as the name of a module, which must not hold a dot."""
    return name.replace(".", "/")
