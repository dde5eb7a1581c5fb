"""A linear model of one task: logits or a value as a sum over its inputs.

Legend: N rows, C categorical and D other columns of the matrix, V values of all categorical columns, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtnas.ensembles.table_inputs import MOST_CATEGORIES, TableInputs
from mtnas.ensembles.tensor_file import packed, unpacked

ROWS_AT_ONCE = 4096
_TENSORS = ("first", "sizes", "table", "weight", "bias")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """Every category has a value of its own, every other column a weight.

    A code that a column's rows of ``table`` do not reach counts as an unknown category, which is the first of them.

    Attributes:
        inputs: the columns of the matrix.
        first: int64 ``[C]``, where a column's rows begin in ``table``.
        sizes: int64 ``[C]``, how many there are.
        table: float64 ``[V, O]``.
        weight: float64 ``[D, O]``.
        bias: float64 ``[O]``.
    """

    inputs: TableInputs
    first: Tensor
    sizes: Tensor
    table: Tensor
    weight: Tensor
    bias: Tensor

    @property
    def num_params(self) -> int:
        """Numbers that were learned."""
        return self.table.numel() + self.weight.numel() + self.bias.numel()

    @property
    def operations(self) -> int:
        """What a row costs: one addition for a category, one product for another column, for every output."""
        return (len(self.first) + len(self.weight)) * len(self.bias)

    def outputs(self, matrix_NF: Tensor) -> Tensor:
        """Float32 ``[N, O]``."""
        return torch.cat([self._outputs(rows) for rows in torch.split(matrix_NF, ROWS_AT_ONCE)])

    def _outputs(self, matrix_NF: Tensor) -> Tensor:
        codes_NC = matrix_NF[:, : len(self.first)].long()
        known_NC = torch.where(codes_NC < self.sizes, codes_NC, 0) + self.first
        numbers_ND = matrix_NF[:, len(self.first) :].double()
        return (self.table[known_NC].sum(1) + numbers_ND @ self.weight + self.bias).float()

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return {name: getattr(self, name) for name in _TENSORS}

    def plan(self) -> dict[str, int]:
        """What else a module needs to know of it."""
        return {}

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        return packed(self.tensors(), {"inputs": self.inputs.to_json()})

    @staticmethod
    def from_bytes(data: bytes) -> Linear:
        """What ``to_bytes`` wrote."""
        tensors, about = unpacked(data)
        return Linear(inputs=TableInputs.from_json(about["inputs"]), **tensors)


def places_of(inputs: TableInputs) -> tuple[Tensor, Tensor]:
    """``first`` and ``sizes`` for these columns: the most frequent categories, which have the smallest codes."""
    sizes = torch.tensor([min(size, MOST_CATEGORIES) for size in inputs.vocabularies], dtype=torch.int64)
    return sizes.cumsum(0) - sizes, sizes
