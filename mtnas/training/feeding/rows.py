"""Encoded data on a device, and the mini-batches that are gathered from it.

Legend: S distinct row orders, K pack, B batch, N rows, C categorical and D numeric columns, T tasks, M longest bag.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtnas.data.columns.image_columns import BRIGHTEST
from mtnas.errors import DataError


class Encoded(Protocol):
    """What training reads of ``mtnas.data.EncodedData``."""

    @property
    def categorical(self) -> npt.NDArray[np.int32]:
        """``[N, C]``."""

    @property
    def numeric(self) -> npt.NDArray[np.float32]:
        """``[N, D]``."""

    @property
    def bags(self) -> Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]]:
        """Offsets ``[N + 1]`` and values per multi-valued feature."""

    @property
    def labels(self) -> npt.NDArray[np.float32]:
        """``[N, T]``, NaN where not labelled."""

    @property
    def parts(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """Row numbers by part."""


@runtime_checkable
class HoldsWeights(Protocol):
    """Encoded data whose rows may count differently."""

    @property
    def weights(self) -> npt.NDArray[np.float32] | None:
        """``[N, T]``."""


@runtime_checkable
class HoldsImages(Protocol):
    """Encoded data with images beside its other columns."""

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """``[N, P]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """A multi-valued feature of a batch, padded to the longest bag of the data, so that shapes never change.

    Attributes:
        values: int64 ``[S, B, M]``; 0 in the padding.
        weights: ``[S, B, M]``; 1 over the bag's length, 0 in the padding, so the weighted sum of embeddings is their
            mean, and zero for an empty bag.
    """

    values: Tensor
    weights: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows of one step.

    Attributes:
        categorical: int64 ``[S, B, C]``.
        numeric: ``[S, B, D]``.
        bags: one per multi-valued feature.
        labels: ``[S, B, T]``, NaN where not labelled; where rows belong to tasks (``task_batches``), features have T
            rows for each of them.
        weights: ``[S, B, T]``, how much a labelled row counts; ``None`` where all count alike.
        seed_of: int64 ``[K]``, which of the S orders a candidate reads; ``None`` when S is 1.
    """

    categorical: Tensor
    numeric: Tensor
    bags: tuple[Bag, ...]
    labels: Tensor
    seed_of: Tensor | None
    weights: Tensor | None = None

    @property
    def num_rows(self) -> int:
        """B, rows of labels."""
        return self.labels.shape[1]

    def for_candidates(self, x_S: Tensor) -> Tensor:
        """``[S, ...]`` as ``[1, ...]`` without a copy when all candidates read the same rows, else ``[K, ...]``."""
        return x_S if self.seed_of is None else x_S.index_select(0, self.seed_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentBag:
    """A multi-valued feature of all rows.

    Attributes:
        offsets: int64 ``[N + 1]``; row n holds ``values[offsets[n]:offsets[n + 1]]``.
        values: int64, at least one.
        longest: length of the longest bag, at least 1.
    """

    offsets: Tensor
    values: Tensor
    longest: int

    def gather(self, rows_SB: Tensor, dtype: torch.dtype) -> Bag:
        """The bags of these rows, padded."""
        starts_SB1 = self.offsets[rows_SB][..., None]
        lengths_SB1 = self.offsets[rows_SB + 1][..., None] - starts_SB1
        places_M = torch.arange(self.longest, device=rows_SB.device)
        inside_SBM = places_M < lengths_SB1
        values_SBM = self.values[torch.where(inside_SBM, starts_SB1 + places_M, 0)] * inside_SBM
        return Bag(values=values_SBM, weights=inside_SBM.to(dtype) / lengths_SB1.clamp(min=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData(ABC):
    """Encoded rows that batches are gathered from: labels and row numbers at hand, inputs at hand or on disk.

    Attributes:
        labels: ``[N, T]``.
        weights: ``[N, T]``, how much a labelled row counts; ``None`` where all count alike.
        parts: int64 row numbers by part.
    """

    labels: Tensor
    parts: Mapping[str, Tensor]
    weights: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self.labels.device

    @property
    def dtype(self) -> torch.dtype:
        """Of numeric inputs and labels."""
        return self.labels.dtype

    def rows_of(self, parts: Sequence[str]) -> Tensor:
        """Row numbers of several parts together, int64 ``[n]``.

        Raises:
            DataError: no such part, or no row in them.
        """
        unknown = [part for part in parts if part not in self.parts]
        if unknown:
            raise DataError(expected=f"parts among {sorted(self.parts)}", found=str(unknown), where="batches")
        rows = torch.cat([self.parts[part] for part in parts]) if parts else torch.empty(0)
        if not len(rows):
            raise DataError(expected="at least one row", found="none", where=f"parts {', '.join(parts) or '()'}")
        return rows

    def labels_of(self, parts: Sequence[str]) -> Tensor:
        """Labels ``[n, T]`` in the order in which :func:`mtnas.training.feeding.batches.rows_in_order` yields them."""
        return self.labels.index_select(0, self.rows_of(parts))

    def weights_of(self, parts: Sequence[str]) -> Tensor | None:
        """Weights ``[n, T]`` in the same order."""
        return None if self.weights is None else self.weights.index_select(0, self.rows_of(parts))

    @property
    @abstractmethod
    def bag_lengths(self) -> tuple[int, ...]:
        """To how many values the bags of each multi-valued feature are padded."""

    @abstractmethod
    def gather(self, rows_SB: Tensor, seed_of: Tensor | None = None) -> Batch:
        """The batch of these rows."""

    def gather_each(self, batches: Iterable[Tensor], seed_of: Tensor | None = None) -> Iterator[Batch]:
        """The batches of these rows ``[S, B]``, one after another."""
        for rows_SB in batches:
            yield self.gather(rows_SB, seed_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentData(TrainingData):
    """Encoded data on a device: one copy for all parts; on the CPU it shares memory with the arrays.

    Attributes:
        categorical: int32 ``[N, C]``.
        numeric: ``[N, D]``.
        bags: one per multi-valued feature.
        images: uint8 ``[N, P]``, which become numbers from 0 to 1 behind the numeric ones when a batch is gathered.
    """

    categorical: Tensor
    numeric: Tensor
    bags: tuple[ResidentBag, ...]
    images: Tensor | None = None

    @classmethod
    def of(cls, data: Encoded, device: torch.device, *, dtype: torch.dtype = torch.float32) -> ResidentData:
        """Put encoded data on a device.

        Args:
            data: arrays that are read-only are copied; map files copy-on-write to avoid that.
            device: where batches are gathered.
            dtype: of numeric columns and labels.
        """
        return cls(
            categorical=_tensor(data.categorical).to(device),
            numeric=_tensor(data.numeric).to(device, dtype),
            labels=_tensor(data.labels).to(device, dtype),
            weights=row_weights(data, device, dtype),
            parts={name: _tensor(rows).to(device) for name, rows in data.parts.items()},
            bags=tuple(
                ResidentBag(
                    offsets=_tensor(offsets).to(device),
                    values=_tensor(values if len(values) else np.zeros(1, values.dtype)).to(device, torch.int64),
                    longest=max(1, int(np.diff(offsets).max(initial=0))),
                )
                for offsets, values in data.bags
            ),
            images=_tensor(data.images).to(device) if isinstance(data, HoldsImages) and data.images.size else None,
        )

    @property
    def bag_lengths(self) -> tuple[int, ...]:
        """See ``TrainingData``."""
        return tuple(bag.longest for bag in self.bags)

    def gather(self, rows_SB: Tensor, seed_of: Tensor | None = None) -> Batch:
        """The batch of these rows, without waiting for the device."""
        flat, weights = rows_SB.flatten(), self.weights
        numeric = self.numeric.index_select(0, flat)
        if self.images is not None:
            pixels = self.images.index_select(0, flat).to(numeric.dtype).div_(BRIGHTEST)
            numeric = torch.cat((numeric, pixels), dim=1) if numeric.shape[1] else pixels
        return Batch(
            categorical=self.categorical.index_select(0, flat).long().view(*rows_SB.shape, self.categorical.shape[1]),
            numeric=numeric.view(*rows_SB.shape, numeric.shape[1]),
            bags=tuple(bag.gather(rows_SB, self.numeric.dtype) for bag in self.bags),
            labels=self.labels.index_select(0, flat).view(*rows_SB.shape, self.labels.shape[1]),
            weights=None if weights is None else weights.index_select(0, flat).view(*rows_SB.shape, weights.shape[1]),
            seed_of=seed_of,
        )


def row_weights(data: Encoded, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    """The weights of encoded rows on a device, if they have any."""
    if not isinstance(data, HoldsWeights) or data.weights is None:
        return None
    return torch.from_numpy(np.array(data.weights)).to(device, dtype)


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    """Shares the array's memory unless torch may not write there."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))
