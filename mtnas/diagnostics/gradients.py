"""Task gradients of one candidate, for diagnostics that compare them.

Legend: K pack, T tasks, P elements of one candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mtnas.errors import TrainingError
from mtnas.supernets import Selection, Supernet
from mtnas.tasks import Task
from mtnas.training.feeding.batches import BatchStream
from mtnas.training.feeding.rows import Batch, TrainingData
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.losses import batch_losses


def some_batches(data: TrainingData, part: str, *, num_batches: int, batch_size: int, seed: int) -> Iterator[Batch]:
    """Batches of a part in a random order, no more than an epoch holds."""
    stream = BatchStream(data, parts=(part,), batch_size=batch_size, data_seeds=[seed])
    for _, batch in zip(range(num_batches), stream.epoch(0), strict=False):
        yield batch


def lone_buffers(net: Supernet) -> FlatParameters:
    """The parameters of one candidate as flat buffers.

    Raises:
        TrainingError: a pack of several candidates; freeze the one to look at.
    """
    flat = FlatParameters(net)
    if flat.num_candidates != 1:
        raise TrainingError(expected="one candidate", found=str(flat.num_candidates), where="diagnostics")
    return flat


def task_gradients(
    net: Supernet, flat: FlatParameters, selection: Selection, batch: Batch, tasks: Sequence[Task]
) -> tuple[Tensor, Tensor]:
    """Gradients ``[T, P]`` and losses ``[T]`` of a lone candidate, nothing dropped."""
    losses_KT = batch_losses(net(batch, selection), batch, tasks)
    gradients = [
        flat.gather(torch.autograd.grad(loss, flat.parameters, retain_graph=True, allow_unused=True))[0]
        for loss in losses_KT[0]
    ]
    return torch.stack(gradients), losses_KT[0].detach()
