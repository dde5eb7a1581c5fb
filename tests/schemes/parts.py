"""A named route as a supernet, and its weights by node, for schemes written out from the papers' equations.

The weights are views of the supernet's parameters, so gradients of both forms meet in the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from mtnas.routes import NAMED_ROUTES, InputShape, Tower
from mtnas.routes.schemes.by_name import NamedRoute, Size
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.banks.bank import MlpBank
from mtnas.supernets.banks.interaction_banks import LinearBank
from mtnas.supernets.gates import Gate
from mtnas.supernets.junctions import JunctionGroup
from tests.supernets.batches import RandomFeatures, random_features
from tests.supernets.weights import randomise

INPUTS = InputShape(vocabularies=(7, 4), embedding_widths=(3, 2), num_numeric=4)
TASKS = ("a", "b", "c")
TOWERS = tuple(Tower(task=task, reads="", hidden=(3,)) for task in TASKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A supernet of one named route, and its pieces as functions."""

    named: NamedRoute
    net: Supernet
    batch: RandomFeatures

    @property
    def x(self) -> Tensor:
        """The first encoder's vectors ``[B, D]``."""
        return self.encoded(self.named.graph.encoders[0].name)

    def encoded(self, name: str) -> Tensor:
        """An encoder's vectors: its embeddings, then the numbers."""
        names = [encoder.name for encoder in self.net.graph.encoders]
        encoder = self.net.encoders[names.index(name)]
        columns: dict[int, Tensor] = {}
        for group, table in zip(encoder.groups, encoder.tables, strict=True):
            first = 0
            for feature in group.features:
                rows = table[0, first : first + INPUTS.vocabularies[feature]]
                columns[feature] = rows[self.batch.categorical[0, :, feature]]
                first += INPUTS.vocabularies[feature]
        return torch.cat([*(columns[f] for f in sorted(columns)), self.batch.numeric[0]], dim=1)

    def block(self, slot: str, x: Tensor) -> Tensor:
        """What a slot's block makes of x: layer by layer linear, layer normalisation, ReLU."""
        for group, bank in self.net.slot_banks():
            for node, i in zip(group.slots, group.instances, strict=True):
                if node.name == slot and isinstance(bank, LinearBank):
                    return x @ bank.weight[0, i]
                if node.name == slot and isinstance(bank, MlpBank):
                    layers = zip(bank.weights, bank.biases, bank.norm_scales, bank.norm_shifts, strict=True)
                    for weight, bias, scale, shift in layers:
                        h = x @ weight[0, i] + bias[0, i]
                        x = functional.layer_norm(h, h.shape[-1:], scale[0, i], shift[0, i]).relu()
                    return x
        raise KeyError(slot)

    def gate(self, junction: str) -> dict[str, Tensor]:
        """A junction's parameters; of a softmax ``weight`` [D, N] and ``bias`` [N]."""
        for group in self.net.gates.values():
            assert isinstance(group, JunctionGroup)
            if junction in group.names:
                (gate,) = group.kinds.values()
                assert isinstance(gate, Gate)
                found = gate.of_junction(group.names.index(junction), 0)
                asked = self.named.route.mix_of()[junction].query
                return {name.removeprefix(f"{asked}/"): tensor for name, tensor in found.items()}
        raise KeyError(junction)

    def softmax(self, junction: str, query: Tensor) -> Tensor:
        """``[B, N]``."""
        gate = self.gate(junction)
        return (query @ gate["weight"] + gate["bias"]).softmax(-1)

    def tower(self, task: str, h: Tensor) -> Tensor:
        """A task's logit."""
        for group in self.net.tower_groups:
            if task in group.tasks:
                t = group.tasks.index(task)
                for depth, (weight, bias) in enumerate(zip(group.weights, group.biases, strict=True)):
                    h = (h if depth == 0 else h.relu()) @ weight[0, t] + bias[0, t]
        return h


def parts(
    name: str, size: Size, *, towers: Sequence[Tower] = TOWERS, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Parts:
    """A named route with random weights, and a batch for it."""
    return parts_of(NAMED_ROUTES[name](towers, size), seed=seed, dtype=dtype)


def parts_of(named: NamedRoute, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> Parts:
    """Any route with random weights, and a batch for it."""
    net = Supernet(named.graph, INPUTS, [0], dtype=dtype)
    randomise(net, seed=seed, scale=0.7)
    batch = random_features(INPUTS, rows=9, seed=seed)
    return Parts(named=named, net=net, batch=replace(batch, numeric=batch.numeric.to(dtype)))


def assert_same(found: Parts, written_out: Callable[[Parts], Sequence[Tensor]]) -> None:
    """Outputs and gradients of all parameters agree to 1e-10 in float64, to 1e-5 in float32 (issue 3)."""
    net = found.net
    dtype = next(net.parameters()).dtype
    bound = 1e-10 if dtype == torch.float64 else 1e-5
    selection = Selection.from_routes(found.named.graph, [[found.named.route]], dtype=dtype)
    ours = [output[0] for output in net(found.batch, selection)]
    theirs = written_out(found)
    for mine, plain in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, plain, rtol=bound, atol=bound)
    direction = [torch.randn(o.shape, generator=torch.Generator().manual_seed(1), dtype=o.dtype) for o in ours]
    gradients = [
        torch.autograd.grad(
            sum(((o * d).sum() for o, d in zip(outputs, direction, strict=True)), torch.zeros(())),
            list(net.parameters()),
            allow_unused=True,
        )
        for outputs in (ours, theirs)
    ]
    for (name, parameter), mine, plain in zip(net.named_parameters(), *gradients, strict=True):
        zero = torch.zeros_like(parameter)
        pair = [zero if gradient is None else gradient for gradient in (mine, plain)]
        torch.testing.assert_close(*pair, rtol=bound, atol=bound, msg=lambda text, name=name: f"{name}: {text}")
