"""How kernels are compiled: at their first call for a type, and kept for later processes where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

_FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums in any order; NaN and infinity stay such

Arguments = ParamSpec("Arguments")
Outcome = TypeVar("Outcome")


def kernel(function: Callable[Arguments, Outcome]) -> Callable[Arguments, Outcome]:
    """The function compiled.

    Machine code is kept beside the source, in the user's cache or in ``NUMBA_CACHE_DIR``; where none of them can be
    written, every process compiles for itself, which takes some seconds.
    """
    try:
        return njit(cache=True, fastmath=_FAST, error_model="numpy")(function)
    except RuntimeError:  # numba's word for nowhere to keep it
        return njit(fastmath=_FAST, error_model="numpy")(function)
