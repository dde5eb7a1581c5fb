"""Encoded rows that stay on disk: batches are read as they are needed, a few ahead of the one that is used.

The batches are those of :class:`~mtnas.training.feeding.rows.ResidentData`, bit by bit and in the same order: only the
place of the inputs differs. What stays in memory are labels, row numbers and the batches on their way.

Legend: S distinct row orders, B batch, N rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtnas.data.sources.row_files import read_rows
from mtnas.training.feeding.rows import (
    Batch,
    Encoded,
    HoldsImages,
    ResidentBag,
    ResidentData,
    TrainingData,
    row_weights,
)

AHEAD = 2  # batches that are read while another is used
_BAGS_AT_ONCE = 2**20

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedData(TrainingData):
    """Encoded data whose inputs are read from its files, batch by batch.

    Attributes:
        source: the encoded data; arrays that are not mapped from files work as well, but free no memory.
        longest: length of the longest bag of every multi-valued feature, at least 1.
    """

    source: Encoded
    longest: tuple[int, ...]

    @classmethod
    def of(cls, data: Encoded, device: torch.device, *, dtype: torch.dtype = torch.float32) -> StreamedData:
        """Leave encoded data where it is.

        Args:
            data: with arrays mapped from files.
            device: where batches go.
            dtype: of numeric columns and labels.
        """
        return cls(
            labels=torch.from_numpy(np.array(data.labels)).to(device, dtype),
            weights=row_weights(data, device, dtype),
            parts={name: torch.from_numpy(np.array(rows)).to(device) for name, rows in data.parts.items()},
            source=data,
            longest=tuple(_longest(offsets) for offsets, _ in data.bags),
        )

    @property
    def bag_lengths(self) -> tuple[int, ...]:
        """See ``TrainingData``."""
        return self.longest

    def gather(self, rows_SB: Tensor, seed_of: Tensor | None = None) -> Batch:
        """The batch of these rows, read now."""
        return self._batch(self._read(_numbers(rows_SB)), rows_SB, seed_of)

    def gather_each(self, batches: Iterable[Tensor], seed_of: Tensor | None = None) -> Iterator[Batch]:
        """The batches of these rows ``[S, B]``, read ahead by a thread."""
        waiting: deque[tuple[Tensor, Future[_Block]]] = deque()
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rows")
        try:
            for rows_SB in batches:
                waiting.append((rows_SB, reader.submit(self._read, _numbers(rows_SB))))
                if len(waiting) > AHEAD:
                    first, block = waiting.popleft()
                    yield self._batch(block.result(), first, seed_of)
            while waiting:
                first, block = waiting.popleft()
                yield self._batch(block.result(), first, seed_of)
        finally:
            reader.shutdown(cancel_futures=True)

    def _read(self, rows: npt.NDArray[np.int64]) -> _Block:
        """These rows' inputs, in memory of their own."""
        source = self.source
        bags = []
        for offsets, values in source.bags:
            begins, ends = read_rows(offsets, rows), read_rows(offsets, rows + 1)
            lengths = ends - begins
            own = np.concatenate([[0], np.cumsum(lengths)])
            places = np.repeat(begins - own[:-1], lengths) + np.arange(own[-1])
            bags.append((own, read_rows(values, places)))
        return _Block(
            categorical=read_rows(source.categorical, rows),
            numeric=read_rows(source.numeric, rows),
            images=read_rows(source.images, rows) if isinstance(source, HoldsImages) and source.images.size else None,
            bags=tuple(bags),
        )

    def _batch(self, block: _Block, rows_SB: Tensor, seed_of: Tensor | None) -> Batch:
        """What resident data of these rows alone would give for all of them in turn."""
        device = self.device
        resident = ResidentData(
            labels=self.labels.index_select(0, rows_SB.flatten()),
            weights=None if self.weights is None else self.weights.index_select(0, rows_SB.flatten()),
            parts={},
            categorical=torch.from_numpy(block.categorical).to(device, non_blocking=True),
            numeric=torch.from_numpy(block.numeric).to(device, self.dtype, non_blocking=True),
            images=None if block.images is None else torch.from_numpy(block.images).to(device, non_blocking=True),
            bags=tuple(
                ResidentBag(
                    offsets=torch.from_numpy(offsets).to(device),
                    values=torch.from_numpy(values if len(values) else np.zeros(1, values.dtype)).to(
                        device, torch.int64
                    ),
                    longest=longest,
                )
                for (offsets, values), longest in zip(block.bags, self.longest, strict=True)
            ),
        )
        return resident.gather(torch.arange(rows_SB.numel(), device=device).view_as(rows_SB), seed_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Inputs of some rows, as in ``Encoded``."""

    categorical: Array
    numeric: Array
    images: Array | None
    bags: tuple[tuple[Array, Array], ...]


def _numbers(rows_SB: Tensor) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = rows_SB.flatten().cpu().numpy()
    return found


def _longest(offsets: Array) -> int:
    longest = 1
    for begin in range(0, len(offsets) - 1, _BAGS_AT_ONCE):
        longest = max(longest, int(np.diff(offsets[begin : begin + _BAGS_AT_ONCE + 1]).max()))
    return longest
