"""Running a group of slots on its bank: tied slots fold into the batch axis of one product.

Legend: K pack, S slots, I instances, R vectors read, U slots per instance, B batch, D input width, W output width.
"""

from __future__ import annotations

from torch import Tensor

from mtnas.supernets.activations import Activations
from mtnas.supernets.banks.bank import Bank
from mtnas.supernets.draws import Draws
from mtnas.supernets.plan import SlotGroup


def run_slots(bank: Bank, size: int, group: SlotGroup, mixed: Activations, noise: Draws | None) -> Tensor:
    """Outputs ``[K, S, B, W]`` of the group's slots.

    Args:
        bank: holds the weights.
        size: instances in the bank.
        group: the slots, those of one instance in a row.
        mixed: outputs of the junctions.
        noise: random numbers, None outside training.
    """
    reads = group.reads
    num_slots, users = len(reads), len(reads) // size
    outputs: Tensor
    if group.instances != tuple(instance for instance in range(size) for _ in range(users)):
        x = mixed.get(reads[:1] if len(set(reads)) == 1 else reads)
        outputs = bank(x, noise, group.instances)
        return outputs.expand(-1, num_slots, -1, -1)
    if users == 1:
        x = mixed.get(reads[:1] if len(set(reads)) == 1 else reads)
        outputs = bank(x, noise)
        return outputs.expand(-1, num_slots, -1, -1)
    is_grid = reads == reads[:users] * size
    x = mixed.get(reads[:users] if is_grid else reads)
    K, vectors, B, D = x.shape
    outputs = bank(x.reshape(K, vectors // users, users * B, D), noise)
    return outputs.expand(-1, size, -1, -1).reshape(K, num_slots, B, -1)
