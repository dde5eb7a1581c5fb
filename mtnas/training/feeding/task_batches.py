"""Batches for rows that belong to one task each: every step holds as many rows of every task, in turn.

Row r of such a batch belongs to task ``r mod T`` (``mtnas.supernets.own_rows``), and a label stands beside its own row
alone: features have T * B rows, labels B.

Legend: S distinct data seeds, K pack, T tasks, B rows of each task in a batch, N most rows that a task has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mtnas.errors import DataError, TrainingError
from mtnas.training.feeding.batches import BatchStream, sent
from mtnas.training.feeding.rows import Batch, Encoded, TrainingData
from mtnas.training.seeds import derived_seed


def task_row_order(num_rows: int, data_seed: int, task: int, cycle: int) -> Tensor:
    """The permutation in which a task goes through its rows for the ``cycle``-th time: int64 ``[num_rows]``."""
    generator = torch.Generator().manual_seed(derived_seed("task_rows", data_seed, task, cycle))
    return torch.randperm(num_rows, generator=generator)


class TaskBatchStream:
    """Training batches with B rows of every task (Maziarz et al., 2019: 16), where ``BatchStream`` mixes rows.

    Every task goes through its own rows in an order of its own, again and again, so that a task with few rows sees
    them more often. An epoch has as many steps as it takes to read as many rows as there are. Nothing is remembered
    between batches, so a run resumes at any (epoch, step).

    Attributes:
        batch_size: B.
        num_batches: steps of an epoch.
    """

    def __init__(self, data: TrainingData, *, parts: Sequence[str], batch_size: int, data_seeds: Sequence[int]) -> None:
        """Prepare the rows.

        Args:
            data: where to gather from.
            parts: which parts to read together.
            batch_size: rows of every task in a step.
            data_seeds: one per candidate.

        Raises:
            DataError: no such part, or a task without a labelled row in them.
            TrainingError: no candidate, or a batch size below 1.
        """
        if batch_size < 1 or not data_seeds:
            raise TrainingError(
                expected="a batch size of at least 1 and a data seed per candidate",
                found=f"batch size {batch_size}, {len(data_seeds)} seeds",
                where="batches",
            )
        self._data = data
        self._rows = rows_of_tasks(data, parts)
        self._distinct = tuple(dict.fromkeys(data_seeds))
        self.batch_size = batch_size
        self.num_batches = max(1, sum(map(len, self._rows)) // (batch_size * len(self._rows)))
        seed_of = [self._distinct.index(seed) for seed in data_seeds]
        self._seed_of = torch.tensor(seed_of, device=data.device) if len(self._distinct) > 1 else None

    def epoch(self, epoch: int, *, first_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from a step of it on."""
        B = self.batch_size
        begin, count = (epoch * self.num_batches + first_step) * B, (self.num_batches - first_step) * B
        of_tasks = [
            torch.stack([self._next_rows(task, seed, begin, count) for seed in self._distinct])
            for task in range(len(self._rows))
        ]
        rows_SNT = torch.stack(of_tasks, dim=2)
        steps = range(self.num_batches - first_step)
        batches = (rows_SNT[:, step * B : (step + 1) * B] for step in steps)
        yield from gather_own(self._data, batches, self._seed_of)

    def _next_rows(self, task: int, seed: int, begin: int, count: int) -> Tensor:
        """``count`` of the task's rows from position ``begin`` of its endless order on."""
        rows = self._rows[task]
        first, last = begin // len(rows), (begin + count - 1) // len(rows)
        orders = [task_row_order(len(rows), seed, task, cycle) for cycle in range(first, last + 1)]
        start = begin - first * len(rows)
        return rows[sent(torch.cat(orders)[start : start + count], rows.device)]


def training_batches(
    data: TrainingData, *, own_rows: bool, parts: Sequence[str], batch_size: int, data_seeds: Sequence[int]
) -> BatchStream | TaskBatchStream:
    """The batches of a pack: ``own_rows`` of every task, or rows of all tasks mixed."""
    kind = TaskBatchStream if own_rows else BatchStream
    return kind(data, parts=parts, batch_size=batch_size, data_seeds=data_seeds)


def steps_per_epoch(data: Encoded, *, own_rows: bool, parts: Sequence[str], batch_size: int) -> int:
    """``num_batches`` of :func:`training_batches`, without a device."""
    rows = np.concatenate([data.parts[part] for part in parts])
    if not own_rows:
        return max(1, len(rows) // batch_size)
    num_labels = int(np.count_nonzero(~np.isnan(data.labels[rows])))
    num_tasks: int = data.labels.shape[1]
    return max(1, num_labels // (batch_size * num_tasks))


def rows_of_tasks(data: TrainingData, parts: Sequence[str]) -> list[Tensor]:
    """Per task the numbers of its labelled rows in these parts.

    Raises:
        DataError: no such part, or a task without one.
    """
    rows = data.rows_of(parts)
    labelled = ~data.labels.index_select(0, rows).isnan()
    found = [rows[of_task] for of_task in labelled.unbind(1)]
    for task, of_task in enumerate(found):
        if not len(of_task):
            where = f"parts {', '.join(parts)}"
            raise DataError(expected=f"a labelled row for task {task + 1} of {len(found)}", found="none", where=where)
    return found


def gather_own(data: TrainingData, batches: Iterable[Tensor], seed_of: Tensor | None = None) -> Iterator[Batch]:
    """The batches of these rows ``[S, B, T]``, ``rows_SBT[..., t]`` being rows of task t."""
    for batch in data.gather_each((rows_SBT.flatten(1) for rows_SBT in batches), seed_of):
        S, _, T = batch.labels.shape
        own, weights = batch.labels.view(S, -1, T, T).diagonal(dim1=2, dim2=3), batch.weights
        weights = None if weights is None else weights.view(S, -1, T, T).diagonal(dim1=2, dim2=3)
        yield replace(batch, labels=own, weights=weights)


def own_rows_in_order(data: TrainingData, *, parts: Sequence[str], batch_size: int) -> Iterator[Batch]:
    """Every labelled row of the parts once, S is 1, for evaluation; about ``batch_size`` rows of features at a time.

    Tasks with fewer rows than others repeat one of them, without its label, so that labels together are ``[N, T]``.

    Raises:
        DataError: no such part, or a task without a labelled row in them.
    """
    rows_NT, labels_NT = _padded(data, parts)
    at_once = max(1, batch_size // rows_NT.shape[1])
    batches = gather_own(data, (rows_BT[None] for rows_BT in torch.split(rows_NT, at_once)))
    for batch, labels_BT in zip(batches, torch.split(labels_NT, at_once), strict=True):
        yield replace(batch, labels=labels_BT[None])


def own_labels_of(data: TrainingData, parts: Sequence[str]) -> Tensor:
    """Labels ``[N, T]`` in the order of :func:`own_rows_in_order`."""
    return _padded(data, parts)[1]


def own_weights_of(data: TrainingData, parts: Sequence[str]) -> Tensor | None:
    """Weights ``[N, T]`` in the order of :func:`own_rows_in_order`, if rows have any."""
    return None if data.weights is None else data.weights.gather(0, _padded(data, parts)[0])


def _padded(data: TrainingData, parts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Every task's rows ``[N, T]`` and their labels, NaN in the padding."""
    of_tasks = rows_of_tasks(data, parts)
    longest = max(map(len, of_tasks))
    rows = [torch.cat([rows, rows[:1].expand(longest - len(rows))]) for rows in of_tasks]
    labels_NT = torch.full((longest, len(of_tasks)), torch.nan, device=data.device, dtype=data.labels.dtype)
    for task, own in enumerate(of_tasks):
        labels_NT[: len(own), task] = data.labels[own, task]
    return torch.stack(rows, dim=1), labels_NT
