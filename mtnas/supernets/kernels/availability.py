"""Where the compiled kernels run."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

MOST_THREADS = 2  # kernels have one thread; from some three on, torch's operations catch up


def compiled(*tensors: Tensor) -> bool:
    """Whether kernels take these tensors: on a CPU of few threads, of one type, and numba is installed."""
    first = tensors[0]
    return (
        not torch.compiler.is_compiling()  # torch.compile fuses its own operations, and cannot look into kernels
        and first.dtype in (torch.float32, torch.float64)
        and all(tensor.is_cpu and tensor.dtype is first.dtype for tensor in tensors)
        and torch.get_num_threads() <= MOST_THREADS
        and _installed()
    )


@cache
def _installed() -> bool:
    return find_spec("numba") is not None
