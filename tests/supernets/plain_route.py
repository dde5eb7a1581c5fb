"""The plain reference: one route as modules in dictionaries, run node by node from the equations of METHODS.md.

Nothing is batched, grouped or shared with ``mtnas.supernets``; it is what every fast form must equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mtnas.routes import Block, BlockKind, GateKind, InputShape, Mix, Route, RouteGraph
from tests.supernets.batches import RandomFeatures


class PlainRoute(nn.Module):
    """The reachable part of a route, built by recursion from the towers; ``macs`` counts while it runs on one row."""

    def __init__(self, graph: RouteGraph, route: Route, inputs: InputShape, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.graph, self.route, self.inputs = graph, route, inputs
        self.mixes, self.fill, self.slots = route.mix_of(), route.block_of(), graph.slot_of()
        self.tables = nn.ModuleList(
            nn.Embedding(v, w) for v, w in zip(inputs.vocabularies, inputs.embedding_widths, strict=True)
        )
        self.bags = nn.ModuleList(
            nn.Embedding(v, w) for v, w in zip(inputs.bag_vocabularies, inputs.bag_widths, strict=True)
        )
        self.towers, self.gates = nn.ModuleDict(), nn.ModuleDict()
        self.blocks: dict[tuple[str, str], nn.ModuleList] = {}
        self.widths: dict[str, int] = {graph.encoders[0].name: inputs.width}
        self.macs = 0
        for tower in graph.towers:
            widths = (self._junction_width(tower.reads), *tower.hidden, tower.outputs)
            self.towers[tower.task] = nn.ModuleList(
                nn.Linear(widths[depth], widths[depth + 1]) for depth in range(len(widths) - 1)
            )
        self.block_modules = nn.ModuleList(self.blocks.values())
        self.to(dtype)

    def _junction_width(self, name: str) -> int:
        mix = self.mixes[name]
        widths = [self._node_width(source) for source in mix.inputs]
        width = widths[0]
        if mix.gate is GateKind.SOFTMAX and name not in self.gates:
            outputs = len(mix.inputs)
            if mix.query == "static":
                gate: nn.Module = _Free(outputs)
            elif mix.query == "input":
                gate = nn.Linear(self.inputs.width, outputs)
            elif mix.query == "mean":
                gate = nn.Linear(width, outputs)
            else:
                gate = nn.Linear(self._junction_width(mix.query.removeprefix("junction:")), outputs)
            self.gates[name.replace(".", "/")] = gate
        return width

    def _node_width(self, name: str) -> int:
        if name not in self.widths:
            slot, block = self.slots[name], self.fill[name]
            width = self._junction_width(slot.reads)
            if (slot.weights_of, block.text) not in self.blocks:
                self.blocks[slot.weights_of, block.text] = _layers(block, width)
            self.widths[name] = block.widths[-1] if block.kind is BlockKind.MLP else width
        return self.widths[name]

    def forward(self, batch: RandomFeatures) -> tuple[Tensor, ...]:
        """``[B, O_t]`` per task, for the batch's first data seed."""
        self.macs = 0
        encoder = self.graph.encoders[0].name
        nodes: dict[str, Tensor] = {encoder: self._encode(batch)}
        mixed: dict[str, Tensor] = {}

        def junction(name: str) -> Tensor:
            if name not in mixed:
                mix = self.mixes[name]
                inputs = {source: node(source) for source in mix.inputs}
                inputs = {s: h.detach() if s in mix.forward_only else h for s, h in inputs.items()}
                values = self._values(name, mix, list(inputs.values()), nodes[encoder], junction)
                if mix.gate is GateKind.PASS:
                    mixed[name] = inputs[mix.inputs[0]]
                else:
                    weighted = [value * h for value, h in zip(values, inputs.values(), strict=True)]
                    mixed[name] = torch.stack(weighted).sum(0)
                    self.macs += mixed[name].shape[-1] * len(inputs)
            return mixed[name]

        def node(name: str) -> Tensor:
            if name not in nodes:
                slot, block = self.slots[name], self.fill[name]
                h = junction(slot.reads)
                for layer in self.blocks[slot.weights_of, block.text]:
                    h = layer(h)
                    self.macs += _products(layer)
                nodes[name] = h
            return nodes[name]

        outputs = []
        for tower in self.graph.towers:
            h = junction(tower.reads)
            for depth, layer in enumerate(self.towers[tower.task]):
                h = layer(h if depth == 0 else h.relu())
                self.macs += _products(layer)
            outputs.append(h)
        return tuple(outputs)

    def _encode(self, batch: RandomFeatures) -> Tensor:
        parts = [table(batch.categorical[0, :, c].long()) for c, table in enumerate(self.tables)]
        parts.append(batch.numeric[0])
        for bag, table in zip(batch.bags, self.bags, strict=True):
            means = [
                sum(
                    (table.weight[v] * w for v, w in zip(values, weights, strict=True)),
                    torch.zeros(table.embedding_dim),
                )
                for values, weights in zip(bag.values[0], bag.weights[0], strict=True)
            ]
            parts.append(torch.stack(means))
        return torch.cat(parts, dim=-1)

    def _values(self, name: str, mix: Mix, inputs: list[Tensor], x: Tensor, junction) -> list[Tensor]:  # type: ignore[no-untyped-def]
        if mix.gate is GateKind.AVERAGE:
            return [torch.full_like(h[:, :1], 1 / len(inputs)) for h in inputs]
        if mix.gate is not GateKind.SOFTMAX:
            return [torch.ones_like(h[:, :1]) for h in inputs]
        gate = self.gates[name.replace(".", "/")]
        if mix.query == "input":
            query = x
        elif mix.query == "mean":
            query = torch.stack(inputs).mean(0)
        elif mix.query == "static":
            query = x
        else:
            query = junction(mix.query.removeprefix("junction:"))
        self.macs += _products(gate)
        return list(gate(query).softmax(-1).split(1, dim=-1))

    def num_params(self) -> int:
        """Counted, not computed."""
        return sum(parameter.numel() for parameter in self.parameters())


class _Free(nn.Module):
    """Logits that do not depend on the example."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.bias.expand(len(x), -1)


def _layers(block: Block, width: int) -> nn.ModuleList:
    layers: list[nn.Module] = []
    for out in block.widths:
        layers.append(nn.Linear(width, out))
        if block.norm:
            layers.append(nn.LayerNorm(out))
        layers.append(nn.ReLU())
        width = out
    return nn.ModuleList(layers)


def _products(module: nn.Module) -> int:
    return module.in_features * module.out_features if isinstance(module, nn.Linear) else 0


def plain_gradients(plain: PlainRoute) -> Iterator[Tensor]:
    """Gradients of every parameter, zeros where nothing flowed."""
    for parameter in plain.parameters():
        yield torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
