"""A forest: boosted trees of one task as tables of nodes, walked level by level in torch.

Legend: N rows, F columns, M nodes of all trees, R trees, S sets of categories, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtnas.ensembles.table_inputs import TableInputs
from mtnas.ensembles.tensor_file import packed, unpacked

CODES = 256  # places of a set of categories
ROWS_AT_ONCE = 4096
_TENSORS = ("feature", "threshold", "left", "right", "members", "value", "sets", "roots", "output_of", "baseline")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Trees whose leaves add up to a task's outputs: logits, or a value.

    A leaf leads to itself, so that after ``depth`` levels every row is at one.

    Attributes:
        inputs: the columns that trees read.
        depth: levels of the deepest tree.
        feature: int64 ``[M]``, the column that a node asks about.
        threshold: float32 ``[M]``: a number goes left if it is at most this.
        left, right: int64 ``[M]``, the next node.
        members: int64 ``[M]``, the set of categories that go left; -1 for a number.
        value: float64 ``[M]``, what a leaf adds.
        sets: bool ``[S, CODES]``; what a set says of a code.
        roots: int64 ``[R]``.
        output_of: int64 ``[R]``, the output that a tree adds to.
        baseline: float64 ``[O]``.
    """

    inputs: TableInputs
    depth: int
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    members: Tensor
    value: Tensor
    sets: Tensor
    roots: Tensor
    output_of: Tensor
    baseline: Tensor

    @property
    def num_params(self) -> int:
        """Numbers that the trees have learned: a threshold per split and a value per leaf; a set counts as one."""
        return len(self.value) + len(self.baseline)

    @property
    def operations(self) -> int:
        """What a row costs at most: one comparison per level of every tree."""
        return self.depth * len(self.roots)

    def outputs(self, matrix_NF: Tensor) -> Tensor:
        """Float32 ``[N, O]``."""
        return torch.cat([self._outputs(rows) for rows in torch.split(matrix_NF, ROWS_AT_ONCE)])

    def _outputs(self, matrix_NF: Tensor) -> Tensor:
        node_NR = self.roots.expand(len(matrix_NF), -1)
        for _ in range(self.depth):
            asked_NR = matrix_NF.gather(1, self.feature[node_NR])
            goes_left = asked_NR <= self.threshold[node_NR]
            if len(self.sets):
                of_set_NR = self.members[node_NR]
                in_set = self.sets[of_set_NR.clamp(min=0), asked_NR.long().clamp(0, CODES - 1)]
                goes_left = torch.where(of_set_NR >= 0, in_set, goes_left)
            node_NR = torch.where(goes_left, self.left[node_NR], self.right[node_NR])
        outputs_NO = self.baseline.repeat(len(matrix_NF), 1)
        return outputs_NO.index_add_(1, self.output_of, self.value[node_NR]).float()

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return {name: getattr(self, name) for name in _TENSORS}

    def plan(self) -> dict[str, int]:
        """What else a module needs to know of it."""
        return {"depth": self.depth}

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        return packed(self.tensors(), {"inputs": self.inputs.to_json(), "depth": self.depth})

    @staticmethod
    def from_bytes(data: bytes) -> Forest:
        """What ``to_bytes`` wrote."""
        tensors, about = unpacked(data)
        return Forest(inputs=TableInputs.from_json(about["inputs"]), depth=about["depth"], **tensors)
