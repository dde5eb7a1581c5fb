"""Random numbers that are functions of a key and a number, made on the device: nothing to seed, nothing to copy.

splitmix64 (Steele, Lea and Flood, OOPSLA 2014, https://doi.org/10.1145/2660193.2660195, figure 16), whose n-th output
is a function of seed and n. In integers, so that every device gives the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # 64-bit words as int64
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def keys(seeds: Sequence[int], device: torch.device) -> Tensor:
    """Seeds, below 2**63, as keys on a device: copied there once."""
    return torch.tensor(seeds, dtype=torch.int64, device=device)


def words(key: Tensor, number: Tensor | int) -> Tensor:
    """Random 64-bit words, int64 of the broadcast shape of both; the ``number``-th of every key."""
    z = key + (number + 1) * _GOLDEN if isinstance(number, Tensor) else key + _wrapped((number + 1) * _GOLDEN)
    z = (z ^ _shifted(z, 30)) * _FIRST
    z = (z ^ _shifted(z, 27)) * _SECOND
    return z ^ _shifted(z, 31)


def uniform(key: Tensor, number: Tensor | int) -> Tensor:
    """The words as float64 in the open interval (0, 1)."""
    found: Tensor = (_shifted(words(key, number), 11).double() + 0.5) * 2.0**-53
    return found


def _shifted(z: Tensor, places: int) -> Tensor:
    """To the right with zeros from the left, where torch repeats the sign."""
    found: Tensor = (z >> places) & (2 ** (64 - places) - 1)
    return found


def _wrapped(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63
