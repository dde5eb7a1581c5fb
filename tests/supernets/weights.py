"""The weights of one candidate of a supernet beside those of the plain reference, and random values for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtnas.supernets import Supernet
from tests.supernets.plain_blocks import (
    PlainBlock,
    PlainCross,
    PlainFactorisation,
    PlainLinear,
    PlainMask,
    PlainMlp,
    PlainPart,
    PlainRecurrent,
)
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
    copied = {id(pair.plain) for pair in found}
    missing = [name for name, parameter in plain.named_parameters() if id(parameter) not in copied]
    assert not missing, f"{missing} of the reference have no counterpart"
    with torch.no_grad():
        for pair in found:
            pair.plain.copy_(pair.view(pair.ours))
    return found


def pairs(plain: PlainRoute, supernet: Supernet, candidate: int = 0) -> Iterator[Pair]:
    """Every parameter of the reference with its counterpart."""
    k = candidate
    for node, encoder in zip(supernet.graph.encoders, supernet.encoders, strict=True):
        if node.name.replace(".", "/") in plain.encoders:
            yield from _encoder_pairs(plain.encoders[node.name.replace(".", "/")], encoder, k)
    for slots, bank in supernet.slot_banks():
        for i, slot in zip(slots.instances, slots.slots, strict=True):
            block = plain.blocks.get((slot.weights_of, slots.block.text))
            if block is not None and plain.fill.get(slot.name) == slots.block and slot.name in plain.widths:
                yield from _block_pairs(slot.name, block, bank, k, i)
    for group in supernet.gates.values():
        for j, name in enumerate(group.names):
            if name in plain.junction_widths:
                yield from _gate_pairs(plain, name, group, k, j)
    for group in supernet.tower_groups:
        for t, task in enumerate(group.tasks):
            for depth, layer in enumerate(plain.towers[task]):
                yield from _linear(f"tower {task}/{depth}", layer, group.weights[depth], group.biases[depth], k, t)


def _encoder_pairs(plain: nn.Module, encoder: Any, k: int) -> Iterator[Pair]:
    for group, table in zip(encoder.groups, encoder.tables, strict=True):
        first = 0
        for f in group.features:
            rows = slice(first, first + encoder.inputs.vocabularies[f])
            first = rows.stop
            yield Pair(name=f"table {f}", plain=plain.tables[f].weight, ours=table, view=lambda t, r=rows: t[k, r])
    for f, table in enumerate(encoder.bags):
        yield Pair(name=f"bag {f}", plain=plain.bags[f].weight, ours=table, view=lambda t: t[k])
    if encoder.numbers is not None:
        yield from _number_pairs(plain, encoder.numbers, k)


def _number_pairs(plain: Any, numbers: Any, k: int) -> Iterator[Pair]:
    first = 0
    for place, number in enumerate(plain.numbers):
        name = f"number {place}"
        weight, bias = number.linear.weight, number.linear.bias
        yield Pair(name=name, plain=weight, ours=numbers.weight, view=lambda t, p=place: t[k, p].unsqueeze(1))
        yield Pair(name=f"{name}/bias", plain=bias, ours=numbers.bias, view=lambda t, p=place: t[k, p])
        if numbers.piecewise is not None:
            rows = slice(first, first + number.segments)
            first = rows.stop
            slopes = numbers.piecewise.slopes
            yield Pair(name=f"{name}/slopes", plain=number.slopes.weight, ours=slopes, view=lambda t, r=rows: t[k, r].T)
        if numbers.periodic is not None:
            waves = numbers.periodic
            map_of = place if waves.weights.shape[1] > 1 else 0
            pairs_of = ((number.rates, waves.frequencies), (number.phases, waves.phases))
            for plain_part, ours in pairs_of:
                yield Pair(name=f"{name}/waves", plain=plain_part, ours=ours, view=lambda t, p=place: t[k, p])
            weight = number.waves.weight
            yield Pair(name=f"{name}/map", plain=weight, ours=waves.weights, view=lambda t, m=map_of: t[k, m].T)


def _block_pairs(name: str, block: PlainBlock, bank: Any, k: int, i: int) -> Iterator[Pair]:
    match block:
        case PlainMlp():
            for depth, linear in enumerate(block.linears):
                yield from _linear(f"{name}/{depth}", linear, bank.weights[depth], bank.biases[depth], k, i)
                if isinstance(block.norms[depth], nn.LayerNorm):
                    scale, shift = bank.norm_scales[depth], bank.norm_shifts[depth]
                    yield from _norm(f"{name}/{depth}", block.norms[depth], scale, shift, k, i)
        case PlainLinear() | PlainPart():
            yield _map(name, block.linear, bank.weight, k, i)
        case PlainCross():
            for depth, (down, up) in enumerate(zip(block.downs, block.ups, strict=True)):
                yield _map(f"{name}/{depth}/down", down, bank.downs[depth], k, i)
                yield from _linear(f"{name}/{depth}/up", up, bank.ups[depth], bank.biases[depth], k, i)
        case PlainMask():
            yield from _linear(f"{name}/1", block.aggregation, bank.aggregation, bank.aggregation_bias, k, i)
            yield from _linear(f"{name}/2", block.projection, bank.projection, bank.projection_bias, k, i)
            yield from _linear(f"{name}/3", block.linear, bank.weight, bank.bias, k, i)
            if len(bank.norms):
                yield from _norm(f"{name}/in", block.norm_in, bank.norms[0], bank.norms[1], k, i)
                yield from _norm(f"{name}/out", block.norm_out, bank.norms[2], bank.norms[3], k, i)
        case PlainRecurrent():
            yield from _linear(f"{name}/read", block.read, bank.weights_read, bank.biases_read, k, i)
            yield from _linear(f"{name}/state", block.state, bank.weights_state, bank.biases_state, k, i)
        case PlainFactorisation():
            yield from _linear(name, block.linear, bank.weight, bank.bias, k, i)
            yield _map(f"{name}/factors", block.factors, bank.factors, k, i)


def _gate_pairs(plain: PlainRoute, name: str, group: Any, k: int, j: int) -> Iterator[Pair]:
    mix = plain.mixes[name]
    columns: Any = [group.sources_of[j].index(source) for source in mix.inputs]
    for source, column in zip(mix.inputs, columns, strict=True):
        key = f"{name}<-{source}".replace(".", "/")
        if key in plain.transforms:
            weight = plain.transforms[key].weight
            at = group.transformed.index(column)
            yield Pair(name=key, plain=weight, ours=group.transforms, view=lambda t, at=at: t[k, j, at].T)
    if name.replace(".", "/") not in plain.gates:
        return
    if columns == list(range(len(group.sources_of[j]))):
        columns = slice(None)  # a view, so that one can write into it
    gate: Any = plain.gates[name.replace(".", "/")]
    theirs: Any = group.kinds[mix.gate]
    match str(mix.gate):
        case "softmax" | "binary":
            at = str(group.queries_of[j].index(mix.query))
            yield Pair(name=f"gate {name}", plain=gate.bias, ours=theirs.biases[at], view=lambda t: t[k, j, columns])
            if gate.map is not None:
                weight = theirs.weights[at]
                yield Pair(
                    name=f"gate {name}", plain=gate.map.weight, ours=weight, view=lambda t: t[k, j][:, columns].T
                )
        case "free":
            yield Pair(name=f"gate {name}", plain=gate.values, ours=theirs.values, view=lambda t: t[k, j, columns])
        case "hard_concrete":
            alpha = theirs.log_alpha
            yield Pair(name=f"gate {name}", plain=gate.log_alpha, ours=alpha, view=lambda t: t[k, j, columns])
        case "attention":
            yield _map(f"gate {name}/keys", gate.keys, theirs.keys, k, j)
            yield _map(f"gate {name}/asks", gate.asks, theirs.asks, k, j)
        case "controller":
            held = {"bias": theirs.biases, "down": theirs.downs, "up": theirs.ups}
            at = str(group.queries_of[j].index(mix.query))
            yield Pair(name=f"gate {name}", plain=gate.bias, ours=held["bias"][at], view=lambda t: t[k, j, columns])
            if gate.down is not None:
                yield _map(f"gate {name}/down", gate.down, held["down"][at], k, j)
                up = held["up"][at]
                yield Pair(name=f"gate {name}/up", plain=gate.up.weight, ours=up, view=lambda t: t[k, j][:, columns].T)
        case "dselect_k":
            yield Pair(name=f"gate {name}", plain=gate.bias, ours=theirs.biases, view=lambda t: t[k, j])
            if gate.map is not None:
                yield _map(f"gate {name}/map", gate.map, theirs.weights, k, j)


def _linear(name: str, layer: nn.Linear, weight: nn.Parameter, bias: nn.Parameter, k: int, i: int) -> Iterator[Pair]:
    yield _map(name, layer, weight, k, i)
    yield Pair(name=f"{name}/bias", plain=layer.bias, ours=bias, view=lambda t: t[k, i])


def _map(name: str, layer: nn.Linear, weight: nn.Parameter, k: int, i: int) -> Pair:
    return Pair(name=name, plain=layer.weight, ours=weight, view=lambda t: t[k, i].T)


def _norm(name: str, norm: Any, scale: nn.Parameter, shift: nn.Parameter, k: int, i: int) -> Iterator[Pair]:
    yield Pair(name=f"{name}/scale", plain=norm.weight, ours=scale, view=lambda t: t[k, i])
    yield Pair(name=f"{name}/shift", plain=norm.bias, ours=shift, view=lambda t: t[k, i])
