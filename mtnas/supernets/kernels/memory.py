"""How kernels see a tensor: its elements in a row, and how far apart neighbours of each axis are.

A kernel that is told strides reads views as they lie in memory; only the last axis has to be contiguous, so that loops
over it become vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Elements = npt.NDArray[np.floating[Any]]


def elements(tensor: Tensor) -> Elements:
    """The tensor's memory from its first element to its last, as one axis; writing there writes the tensor."""
    if not tensor.numel():
        return tensor.detach().numpy().reshape(-1)
    size = 1 + sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return torch.as_strided(tensor.detach(), (size,), (1,)).numpy()


def strides(tensor: Tensor) -> tuple[int, ...]:
    """Elements between neighbours of every axis but the last."""
    return tensor.stride()[:-1]


def rowwise(tensor: Tensor) -> Tensor:
    """The tensor itself where its last axis is contiguous, else a copy of which that is true."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()
