"""Mini-batches: shuffled per (data seed, epoch) for training, in order for evaluation.

Legend: S distinct data seeds, K pack, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mtnas.errors import TrainingError
from mtnas.training.feeding.rows import Batch, TrainingData
from mtnas.training.seeds import derived_seed


def row_order(num_rows: int, data_seed: int, epoch: int) -> Tensor:
    """The permutation in which an epoch visits its rows: int64 ``[num_rows]`` on the CPU, equal for every device."""
    generator = torch.Generator().manual_seed(derived_seed("rows", data_seed, epoch))
    return torch.randperm(num_rows, generator=generator)


def sent(numbers: Tensor, device: torch.device) -> Tensor:
    """Numbers of rows on a device, without waiting for it: once an epoch, all that a pack copies while it trains."""
    return numbers.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else numbers.to(device)


class BatchStream:
    """Training batches for a pack: candidates of one data seed read the same rows at every step.

    Nothing is remembered between batches, so a run resumes at any (epoch, step). The last partial batch of an epoch
    is dropped; fewer rows than one batch make one smaller batch.

    Attributes:
        batch_size: rows of a step.
        num_batches: steps of an epoch.
    """

    def __init__(self, data: TrainingData, *, parts: Sequence[str], batch_size: int, data_seeds: Sequence[int]) -> None:
        """Prepare the rows.

        Args:
            data: where to gather from.
            parts: which parts to read together, such as ``("train", "search")``.
            batch_size: rows of a step.
            data_seeds: one per candidate.

        Raises:
            DataError: no such part, or no row in them.
            TrainingError: no candidate, or a batch size below 1.
        """
        if batch_size < 1 or not data_seeds:
            raise TrainingError(
                expected="a batch size of at least 1 and a data seed per candidate",
                found=f"batch size {batch_size}, {len(data_seeds)} seeds",
                where="batches",
            )
        self._data = data
        self._rows = data.rows_of(parts)
        self._distinct = tuple(dict.fromkeys(data_seeds))
        self.batch_size = min(batch_size, len(self._rows))
        self.num_batches = len(self._rows) // self.batch_size
        seed_of = [self._distinct.index(seed) for seed in data_seeds]
        self._seed_of = torch.tensor(seed_of, device=data.device) if len(self._distinct) > 1 else None

    def epoch(self, epoch: int, *, first_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from a step of it on."""
        orders = [row_order(len(self._rows), seed, epoch) for seed in self._distinct]
        rows_SN = self._rows[sent(torch.stack(orders), self._data.device)]
        steps = range(first_step, self.num_batches)
        batches = (rows_SN[:, step * self.batch_size : (step + 1) * self.batch_size] for step in steps)
        yield from self._data.gather_each(batches, self._seed_of)


def rows_in_order(data: TrainingData, *, parts: Sequence[str], batch_size: int) -> Iterator[Batch]:
    """Every row of the parts once, in their order, the last partial batch included; S is 1, for evaluation.

    Raises:
        DataError: no such part, or no row in them.
    """
    yield from data.gather_each(rows[None] for rows in torch.split(data.rows_of(parts), batch_size))
