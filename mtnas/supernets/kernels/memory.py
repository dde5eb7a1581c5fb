"""How kernels see a tensor: its elements in a row, and how far apart neighbours of each axis are.

A kernel that is told strides reads views as they lie in memory; only the last axis has to be contiguous, so that loops
over it become vector instructions. All that addresses are made of is unsigned: the compiler then has no negative index
to think of, which takes it a third to a half of the time (measured).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Elements = npt.NDArray[np.floating[Any]]
Numbers = npt.NDArray[np.uint64]
Strides = tuple[np.uintp, ...]
Seen = tuple[Elements, Strides]


def seen(tensor: Tensor, num_axes: int) -> Seen:
    """The tensor's elements, and how many of them lie between neighbours of each of its first axes."""
    return elements(tensor), unsigned(tensor.stride()[:num_axes])


def elements(tensor: Tensor) -> Elements:
    """The tensor's memory from its first element on, as one axis; writing there writes the tensor."""
    detached = tensor.detach()
    length = detached.untyped_storage().nbytes() // detached.itemsize - detached.storage_offset()
    return torch.as_strided(detached, (length,), (1,)).numpy()


def numbers(tensor: Tensor) -> Numbers:
    """Whole numbers of at least 0, int64, in a row."""
    return tensor.contiguous().view(-1).numpy().view(np.uint64)


def unsigned(numbers: Iterable[int]) -> Strides:
    """What lengths and strides are to a kernel."""
    return tuple(map(np.uintp, numbers))


def rowwise(tensor: Tensor) -> Tensor:
    """The tensor itself where its last axis is contiguous, else a copy of which that is true."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()
