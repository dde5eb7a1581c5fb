"""What trees and linear models see of encoded rows: every input, as one matrix of numbers.

Legend: N rows, C categorical and D numeric inputs, F columns of the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtnas.data import EncodedData
from mtnas.data.columns.image_columns import BRIGHTEST
from mtnas.data.encoding.encode import Bag
from mtnas.errors import OutOfMemoryError

MOST_CATEGORIES = 255  # more are split as numbers: their codes are sorted by how often they occur
MOST_FIGURES = 2**29  # of a matrix: 2 GiB
MOST_ELEMENTS = 255  # of a multi-valued column, the most frequent ones, each a column of the matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInputs:
    """The columns of the matrix: codes, numbers, and of every bag its elements (is it there?) and its length.

    Ranges of numbers are left out, for trees find their own; a number's place between knots, where there is one, is a
    second column in the order of the first.

    Attributes:
        vocabularies: sizes of the categorical columns' vocabularies.
        num_numeric: numeric columns, pixels included.
        elements: by multi-valued column, the elements that have a column of the matrix.
    """

    vocabularies: tuple[int, ...]
    num_numeric: int
    elements: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, data: EncodedData, rows: NDArray[np.int64]) -> TableInputs:
        """The columns for these rows of training; which elements are frequent is counted there."""
        return cls(
            vocabularies=data.inputs.vocabularies[: len(data.schema.categorical)],
            num_numeric=data.inputs.num_numeric,
            elements=tuple(_frequent(bag, rows) for bag in data.bags),
        )

    @property
    def categorical(self) -> list[int]:
        """The columns of the matrix that hold categories rather than numbers."""
        return [c for c, size in enumerate(self.vocabularies) if size <= MOST_CATEGORIES]

    @property
    def width(self) -> int:
        """F."""
        return len(self.vocabularies) + self.num_numeric + sum(len(found) + 1 for found in self.elements)

    def matrix(
        self,
        *,
        categorical: NDArray[np.int32],
        numeric: NDArray[np.float32],
        bags: Sequence[Bag],
        images: NDArray[np.uint8],
    ) -> NDArray[np.float32]:
        """``[N, F]`` of encoded rows, as ``EncodedData`` and ``encode_rows`` hold them.

        Raises:
            OutOfMemoryError: more numbers than anybody should hold at once.
        """
        if len(categorical) * self.width > MOST_FIGURES:
            raise OutOfMemoryError(
                expected=f"at most {MOST_FIGURES:,} numbers, since trees and linear models look at all of them at once",
                found=f"{len(categorical):,} rows of {self.width:,} columns",
                where="models of one task",
            )
        codes = categorical[:, : len(self.vocabularies)].astype(np.float32)
        pixels = images.astype(np.float32) / np.float32(BRIGHTEST)
        columns = [_bag_columns(bag, found) for bag, found in zip(bags, self.elements, strict=True)]
        return np.concatenate((codes, numeric, pixels, *columns), axis=1, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"vocabularies": self.vocabularies, "num_numeric": self.num_numeric, "elements": self.elements}

    @staticmethod
    def from_json(document: dict[str, Any]) -> TableInputs:
        """What ``to_json`` wrote."""
        return TableInputs(
            vocabularies=tuple(document["vocabularies"]),
            num_numeric=document["num_numeric"],
            elements=tuple(tuple(found) for found in document["elements"]),
        )


def _frequent(bag: Bag, rows: NDArray[np.int64]) -> tuple[int, ...]:
    """The most frequent elements in these rows, ascending."""
    offsets, values = bag
    inside = np.zeros(len(offsets) - 1, dtype=bool)
    inside[rows] = True
    counts = np.bincount(values[np.repeat(inside, np.diff(offsets))])
    most = np.argsort(-counts, kind="stable")[:MOST_ELEMENTS]
    return tuple(sorted(int(element) for element in most if counts[element]))


def _bag_columns(bag: Bag, elements: Sequence[int]) -> NDArray[np.float32]:
    """``[N, elements + 1]``: 1 where the element is in the bag, then the bag's length."""
    offsets, values = bag
    lengths = np.diff(offsets)
    columns = np.zeros((len(lengths), len(elements) + 1), dtype=np.float32)
    columns[:, -1] = lengths
    if elements:
        row_of = np.repeat(np.arange(len(lengths)), lengths)
        place = np.searchsorted(elements, values).clip(max=len(elements) - 1)
        known = np.asarray(elements)[place] == values
        columns[row_of[known], place[known]] = 1
    return columns
