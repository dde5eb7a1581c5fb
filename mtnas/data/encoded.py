"""EncodedData: what training reads. Arrays, their schema, the four parts, and a digest of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtnas.data.column_use import ColumnUse
from mtnas.data.encoding.encode import Bag
from mtnas.data.parts import PARTS, Parts
from mtnas.data.problem import Problem
from mtnas.data.schema import DataSchema
from mtnas.errors import DataError
from mtnas.routes.inputs import InputShape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedData:
    """N encoded rows with T labels each.

    Attributes:
        schema: how a row becomes these arrays.
        categorical: int32 ``[N, C]``: index into feature c's vocabulary; 0 = out of vocabulary or missing.
        numeric: float32 ``[N, D]``: prepared numbers, then their missing indicators, then dense vectors, then the
            places of numbers between their knots.
        bags: per multi-valued feature: offsets int64 ``[N + 1]`` and indices int32.
        images: uint8 ``[N, P]``, all images of a row one after another; divided by 255 they follow the numeric inputs.
        labels: float32 ``[N, T]``: what networks are trained on, a regression's in ``schema.labels[t].unit``; NaN = not
            labelled for that task.
        weights: float32 ``[N, T]``: how much a labelled row counts for a task, 1 on average over ``train``; ``None``
            where all count alike.
        parts: ascending row numbers (int64) of ``train``, ``search``, ``valid``, ``test``: disjoint. Rows in none
            were left out by the split.
        digest: sha256 of source, encoding, labels and split; equal digests mean equal arrays.
        truth: what a generator planted, such as the tasks' clusters; ``None`` for data from the world.
        warnings: what its owner should look at, such as inputs that give a label away.
        columns: how every column of the source was read, and why any was left out.
        cache: where the arrays are mapped from, if they are.
    """

    schema: DataSchema
    categorical: NDArray[np.int32]
    numeric: NDArray[np.float32]
    bags: tuple[Bag, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.float32]
    parts: Parts
    digest: str
    truth: Mapping[str, Any] | None = None
    warnings: tuple[Problem, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    cache: Path | None = None
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        shape = self.inputs
        expected = {
            "categorical": (self.num_rows, len(shape.vocabularies)),
            "numeric": (self.num_rows, shape.num_numeric - self.schema.num_pixels),
            "images": (self.num_rows, self.schema.num_pixels),
            "labels": (self.num_rows, len(self.schema.labels)),
            "bag offsets": (len(shape.bag_vocabularies), self.num_rows + 1),
        }
        found = {
            "categorical": self.categorical.shape,
            "numeric": self.numeric.shape,
            "images": self.images.shape,
            "labels": self.labels.shape,
            "bag offsets": (len(self.bags), *(self.bags[0][0].shape if self.bags else (self.num_rows + 1,))),
        }
        if self.weights is not None:
            expected["weights"], found["weights"] = self.labels.shape, self.weights.shape
        if expected != found or tuple(self.parts) != PARTS:
            raise DataError(
                expected=f"{expected}, parts {PARTS}", found=f"{found}, {tuple(self.parts)}", where="arrays"
            )

    @property
    def num_rows(self) -> int:
        """N, rows outside all parts included."""
        return len(self.labels)

    @property
    def rows_belong_to_tasks(self) -> bool:
        """Whether there are several tasks, and no row that more than one of them has a label for."""
        several = self.labels.shape[1] > 1
        return several and bool((np.count_nonzero(~np.isnan(self.labels), axis=1) <= 1).all())

    @property
    def num_bytes(self) -> int:
        """Of all arrays."""
        inputs = self.categorical.nbytes + self.numeric.nbytes + self.images.nbytes
        bags = sum(offsets.nbytes + values.nbytes for offsets, values in self.bags)
        return inputs + bags + self.labels.nbytes + sum(rows.nbytes for rows in self.parts.values())

    @property
    def inputs(self) -> InputShape:
        """The shape of the inputs, as costs and encoders need it."""
        return self.schema.inputs
