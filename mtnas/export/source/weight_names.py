"""The weights of a frozen route under the names of the generated module."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtnas.errors import ExportError
from mtnas.export.source import block_source as blocks
from mtnas.export.source import gate_source as gates
from mtnas.export.source.block_source import Named, linear
from mtnas.export.source.encoder_source import encoder_weights
from mtnas.export.source.naming import Naming, weights_key
from mtnas.supernets import Supernet
from mtnas.supernets.banks.bank import Bank
from mtnas.supernets.banks.towers import TowerGroup
from mtnas.supernets.gates import Gate
from mtnas.supernets.junctions import JunctionGroup


@torch.no_grad()
def named_weights(frozen: Supernet, naming: Naming, settings: Mapping[str, float] | None = None) -> dict[str, Tensor]:
    """The generated module's state dict, on the CPU.

    Args:
        frozen: one candidate (K = 1) of the narrowed graph, from ``freeze``.
        naming: of the same route.
        settings: the candidate's settings of gates.

    Raises:
        ExportError: slots that share their weights have different ones, or a weight is not finite.
    """
    state = encoder_weights(frozen, naming)
    parts = [part(frozen, naming) for part in (_blocks, _towers, _alignments)]
    parts.append(_gates(frozen, naming, settings or {}))
    for name, tensor in (named for part in parts for named in part):
        if name in state and not torch.equal(state[name], tensor):
            raise ExportError(expected="equal weights in tied slots", found="different ones", where=f"weight {name}")
        state[name] = tensor
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in sorted(state.items())}
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise ExportError(expected="finite weights", found="NaN or infinity", where=f"weight {name}")
    return state


def _blocks(frozen: Supernet, naming: Naming) -> list[Named]:
    found: list[Named] = []
    for group, bank in frozen.slot_banks():
        assert isinstance(bank, Bank)
        for slot, index in zip(group.slots, group.instances, strict=True):
            name = naming.blocks[weights_key(slot, group.block, group.in_width)]
            found += [(f"{name}.{part}", tensor) for part, tensor in blocks.weights_of(bank, index)]
    return found


def _gates(frozen: Supernet, naming: Naming, settings: Mapping[str, float]) -> list[Named]:
    found: list[Named] = []
    for group in frozen.gates.values():
        assert isinstance(group, JunctionGroup)
        for index, junction in enumerate(group.names):
            for gate in group.kinds.values():
                assert isinstance(gate, Gate)
                found += gates.weights_of(gate, index, naming.gates[junction], settings)
            if group.transforms is not None:
                for place, position in enumerate(group.transformed):
                    name = naming.transforms[junction, group.sources_of[index][position]]
                    found.append((f"{name}.weight", group.transforms[0, index, place].T))
    return found


def _towers(frozen: Supernet, naming: Naming) -> list[Named]:
    found: list[Named] = []
    for group in frozen.tower_groups:
        assert isinstance(group, TowerGroup)
        for index, task in enumerate(group.tasks):
            for depth, (weight, bias) in enumerate(zip(group.weights, group.biases, strict=True)):
                place = f".{2 * depth}" if len(group.weights) > 1 else ""
                found += linear(f"{naming.towers[task]}{place}", weight[0, index], bias[0, index])
    return found


def _alignments(frozen: Supernet, naming: Naming) -> list[Named]:
    if frozen.alignment is None:
        return []
    matrices = zip(frozen.alignment.tasks, frozen.alignment.matrices[0], strict=True)
    return [(f"{naming.alignments[task]}.weight", matrix_DD.T) for task, matrix_DD in matrices]
