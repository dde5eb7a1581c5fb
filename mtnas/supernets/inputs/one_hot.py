"""Categorical features as indicators: a 1 at a row's value, 0 elsewhere, and zeros for an unknown one.

Legend: K pack, S data seeds, B batch, C categorical features, I indicators of all features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtnas.routes import InputShape
from mtnas.supernets.inputs.look_up import per_candidate


class OneHot(nn.Module):
    """The indicators of all one-hot features in one comparison; there is nothing to train."""

    features: Tensor
    rows: Tensor

    def __init__(self, inputs: InputShape) -> None:
        super().__init__()
        self.widths = {feature: inputs.embedding_widths[feature] for feature in inputs.one_hot}
        pairs = [(feature, row) for feature, width in self.widths.items() for row in range(1, width + 1)]
        features, rows = torch.tensor(pairs, dtype=torch.long).view(-1, 2).unbind(1)
        self.register_buffer("features", features.contiguous(), persistent=False)
        self.register_buffer("rows", rows.contiguous(), persistent=False)

    def forward(
        self, categorical_SBC: Tensor, seed_of: Tensor | None, K: int, *, dtype: torch.dtype
    ) -> dict[int, Tensor]:
        """``[K, B, values]`` by feature."""
        found_SBI = (categorical_SBC.index_select(-1, self.features) == self.rows).to(dtype)
        parts = torch.split(per_candidate(found_SBI, seed_of, K), list(self.widths.values()), dim=-1)
        return dict(zip(self.widths, parts, strict=True))
