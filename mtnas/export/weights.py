"""The weights of a frozen route under the names of the generated module."""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.errors import ExportError
from mtnas.export.naming import Naming, weights_key
from mtnas.supernets import Supernet
from mtnas.supernets.banks import MlpBank
from mtnas.supernets.junctions import JunctionGroup
from mtnas.supernets.towers import TowerGroup

GATE_PARTS = ("weights", "biases")


@torch.no_grad()
def named_weights(frozen: Supernet, naming: Naming) -> dict[str, Tensor]:
    """The generated module's state dict, on the CPU.

    Args:
        frozen: one candidate (K = 1) of the narrowed graph, from ``freeze``.
        naming: of the same route.

    Raises:
        ExportError: slots that share their weights have different ones, or a weight is not finite.
    """
    state = _tables(frozen, naming)
    parts = (_blocks, _gates, _towers, _alignments)
    for name, tensor in (named for part in parts for named in part(frozen, naming)):
        if name in state and not torch.equal(state[name], tensor):
            raise ExportError(expected="equal weights in tied slots", found="different ones", where=f"weight {name}")
        state[name] = tensor
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in sorted(state.items())}
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise ExportError(expected="finite weights", found="NaN or infinity", where=f"weight {name}")
    return state


def _tables(frozen: Supernet, naming: Naming) -> dict[str, Tensor]:
    encoder, state = frozen.encoder, dict[str, Tensor]()
    for (_, features), table in zip(encoder.groups, encoder.tables, strict=True):
        parts = table[0].split([frozen.inputs.vocabularies[feature] for feature in features])
        state |= {f"{naming.tables[f]}.weight": part for f, part in zip(features, parts, strict=True)}
    for name, table in zip(naming.bags, encoder.bags, strict=True):
        state[f"{name}.weight"] = table[0]
    return state


def _blocks(frozen: Supernet, naming: Naming) -> list[tuple[str, Tensor]]:
    found: list[tuple[str, Tensor]] = []
    for group, bank in frozen.slot_banks():
        if not isinstance(bank, MlpBank):
            continue
        step = 3 if bank.norm else 2
        for index, slot in enumerate(group.slots):
            name = naming.blocks[weights_key(slot, group.block, group.in_width)]
            for depth, (weight, bias) in enumerate(zip(bank.weights, bank.biases, strict=True)):
                found += _linear(f"{name}.{step * depth}", weight[0, index], bias[0, index])
                if bank.norm:
                    found.append((f"{name}.{step * depth + 1}.weight", bank.norm_scales[depth][0, index]))
                    found.append((f"{name}.{step * depth + 1}.bias", bank.norm_shifts[depth][0, index]))
    return found


def _gates(frozen: Supernet, naming: Naming) -> list[tuple[str, Tensor]]:
    """Softmax gates: in a narrowed graph each has one bias per source and, unless its query is static, one product."""
    found: list[tuple[str, Tensor]] = []
    for group in frozen.gates.values():
        assert isinstance(group, JunctionGroup)
        kept = {word: p for name, p in group.named_parameters() for word in name.split(".") if word in GATE_PARTS}
        for index, junction in enumerate(group.names):
            if junction not in naming.gates:
                continue
            name, bias = naming.gates[junction], kept["biases"][0, index]
            found += _linear(name, kept["weights"][0, index], bias) if "weights" in kept else [(name, bias)]
    return found


def _towers(frozen: Supernet, naming: Naming) -> list[tuple[str, Tensor]]:
    found: list[tuple[str, Tensor]] = []
    for group in frozen.tower_groups:
        assert isinstance(group, TowerGroup)
        for index, task in enumerate(group.tasks):
            for depth, (weight, bias) in enumerate(zip(group.weights, group.biases, strict=True)):
                place = f".{2 * depth}" if len(group.weights) > 1 else ""
                found += _linear(f"{naming.towers[task]}{place}", weight[0, index], bias[0, index])
    return found


def _alignments(frozen: Supernet, naming: Naming) -> list[tuple[str, Tensor]]:
    if frozen.alignment is None:
        return []
    matrices = zip(frozen.alignment.tasks, frozen.alignment.matrices[0], strict=True)
    return [(f"{naming.alignments[task]}.weight", matrix_DD.T) for task, matrix_DD in matrices]


def _linear(name: str, weight: Tensor, bias: Tensor) -> list[tuple[str, Tensor]]:
    """A product ``x @ weight`` as ``nn.Linear`` keeps it."""
    return [(f"{name}.weight", weight.T), (f"{name}.bias", bias)]
