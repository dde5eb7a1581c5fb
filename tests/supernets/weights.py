"""The weights of one candidate of a supernet beside those of the plain reference, and random values for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtnas.supernets import Supernet
from mtnas.supernets.banks import MlpBank
from tests.supernets.plain_route import PlainRoute


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A parameter of the reference and where the same numbers stand in the supernet."""

    name: str
    plain: nn.Parameter
    ours: nn.Parameter
    view: Callable[[Tensor], Tensor]


def randomise(module: nn.Module, *, seed: int, scale: float = 1.0) -> None:
    """New values for all parameters and floating-point buffers, so that no initial value hides a fault."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator, dtype=torch.float64) * scale)


def load(plain: PlainRoute, supernet: Supernet, *, candidate: int = 0) -> tuple[Pair, ...]:
    """Copy one candidate's weights into the reference; the pairs that were copied."""
    found = tuple(pairs(plain, supernet, candidate))
    missing = set(map(id, plain.parameters())) - {id(pair.plain) for pair in found}
    assert not missing, f"{len(missing)} parameters of the reference have no counterpart"
    with torch.no_grad():
        for pair in found:
            pair.plain.copy_(pair.view(pair.ours))
    return found


def pairs(plain: PlainRoute, supernet: Supernet, candidate: int = 0) -> Iterator[Pair]:
    """Every parameter of the reference with its counterpart."""
    k = candidate
    for (_, features), table in zip(supernet.encoder.groups, supernet.encoder.tables, strict=True):
        first = 0
        for f in features:
            rows = slice(first, first + supernet.inputs.vocabularies[f])
            first = rows.stop
            yield Pair(name=f"table {f}", plain=plain.tables[f].weight, ours=table, view=lambda t, r=rows: t[k, r])
    for f, table in enumerate(supernet.encoder.bags):
        yield Pair(name=f"bag {f}", plain=plain.bags[f].weight, ours=table, view=lambda t: t[k])
    for slots, bank in supernet.slot_banks():
        for i, slot in zip(slots.instances, slots.slots, strict=True):
            layers = plain.blocks.get((slot.weights_of, slots.block.text))
            if layers is not None and plain.fill.get(slot.name) == slots.block and isinstance(bank, MlpBank):
                yield from _bank_pairs(slot.name, layers, bank, k, i)
    for group in supernet.gates.values():
        for j, name in enumerate(group.names):
            key = name.replace(".", "/")
            if key in plain.gates:
                yield from _gate_pairs(plain, name, group, k, j)
    for group in supernet.tower_groups:
        for t, task in enumerate(group.tasks):
            for depth, layer in enumerate(plain.towers[task]):
                yield from _linear(f"tower {task}/{depth}", layer, group.weights[depth], group.biases[depth], k, t)


def _bank_pairs(name: str, layers: nn.ModuleList, bank: MlpBank, k: int, i: int) -> Iterator[Pair]:
    linears = [layer for layer in layers if isinstance(layer, nn.Linear)]
    norms = [layer for layer in layers if isinstance(layer, nn.LayerNorm)]
    for depth, layer in enumerate(linears):
        yield from _linear(f"{name}/{depth}", layer, bank.weights[depth], bank.biases[depth], k, i)
    for depth, norm in enumerate(norms):
        scale, shift = bank.norm_scales[depth], bank.norm_shifts[depth]
        yield Pair(name=f"{name}/{depth}/scale", plain=norm.weight, ours=scale, view=lambda t: t[k, i])
        yield Pair(name=f"{name}/{depth}/shift", plain=norm.bias, ours=shift, view=lambda t: t[k, i])


def _gate_pairs(plain: PlainRoute, name: str, group: nn.Module, k: int, j: int) -> Iterator[Pair]:
    mix = plain.mixes[name]
    gate = plain.gates[name.replace(".", "/")]
    columns = [group.sources_of[j].index(source) for source in mix.inputs]
    softmax = group.kinds["softmax"]
    key = str(group.queries_of[j].index(mix.query))
    bias = softmax.biases[key]
    yield Pair(name=f"gate {name}/bias", plain=gate.bias, ours=bias, view=lambda t: t[k, j, columns])
    if isinstance(gate, nn.Linear):
        weight = softmax.weights[key]
        yield Pair(name=f"gate {name}", plain=gate.weight, ours=weight, view=lambda t: t[k, j][:, columns].T)


def _linear(name: str, layer: nn.Linear, weight: nn.Parameter, bias: nn.Parameter, k: int, i: int) -> Iterator[Pair]:
    yield Pair(name=name, plain=layer.weight, ours=weight, view=lambda t: t[k, i].T)
    yield Pair(name=f"{name}/bias", plain=layer.bias, ours=bias, view=lambda t: t[k, i])
